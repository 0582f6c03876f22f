import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { type CompiledPolicy, compilePolicy } from './compile.ts';
import { contextOf } from './context.ts';
import { evaluate, foresee, type NamedPolicy, type PrincipalPolicies } from './evaluate.ts';
import { parsePolicy } from './parse.ts';
import type { PolicyPrincipal } from './principal.ts';
import { Generator, smallest } from './testing/generate.ts';
import { type ReferenceCaller, type ReferenceInput, referenceDecision } from './testing/reference.ts';

/** Policy sets per run; each is asked one question. */
const runs = { release: 3_000_000, nightly: 1_000_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 100_000;

/** The same cases in each usual run; longer ones draw others. */
const drawn = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 20_261 : randomInt(2 ** 31);
const seed = Number(process.env['SLIPWAY_TEST_SEED'] ?? drawn);

/** Policies come again in other sets; what was compiled of one must not depend on the request it met first. */
const compiled = new Map<string, CompiledPolicy>();

function compiledOnce(text: string, kind: 'identity' | 'resource' | 'trust'): CompiledPolicy {
  const key = `${kind} ${text}`;
  let policy = compiled.get(key);
  if (policy === undefined) {
    if (compiled.size >= 20_000) compiled.clear();
    compiled.set(key, (policy = compilePolicy(parsePolicy(text, kind))));
  }
  return policy;
}

const named = (texts: readonly string[], kind: 'identity' | 'resource' | 'trust'): NamedPolicy[] =>
  texts.map((text, index) => ({ name: `${kind}-${index}`, policy: compiledOnce(text, kind) }));

function principalOf(caller: ReferenceCaller): PolicyPrincipal {
  const { type, account, arn, id, issuerArn, issuerId } = caller;
  return issuerArn === undefined || issuerId === undefined
    ? { type, account, arn, id }
    : { type, account, arn, id, issuer: { arn: issuerArn, id: issuerId } };
}

function policiesOf(input: ReferenceInput): PrincipalPolicies {
  const [boundary] = named(input.boundary === undefined ? [] : [input.boundary], 'identity');
  return {
    identity: named(input.identity, 'identity'),
    restrictions: named(input.restrictions, 'identity'),
    ...(boundary === undefined ? {} : { boundary }),
    ...(input.session === undefined ? {} : { session: named(input.session, 'identity') }),
  };
}

function decide(input: ReferenceInput) {
  return evaluate(policiesOf(input), {
    principal: principalOf(input.caller),
    action: input.action,
    resource: input.resource,
    resourceAccount: input.resourceAccount,
    resourcePolicies: named(
      input.resourcePolicy === undefined ? [] : [input.resourcePolicy],
      input.trust ? 'trust' : 'resource',
    ),
    trust: input.trust,
    policyDecides: input.policyDecides,
    open: input.open,
    context: contextOf(input.context),
  });
}

test(
  `P2 ${runs} decisions are those of the evaluator written from the specification (SLIPWAY_TEST_SEED=${seed})`,
  () => {
    const outcomes = new Map<string, number>();
    const generator = new Generator(seed);
    const differs = (input: ReferenceInput): boolean => {
      const { outcome, allowed } = decide(input);
      const expected = referenceDecision(input);
      outcomes.set(expected, (outcomes.get(expected) ?? 0) + 1);
      return outcome !== expected || allowed !== (expected === 'allowed');
    };
    for (let run = 0; run < runs; run++) {
      const input = generator.input();
      if (!differs(input)) continue;
      const least = smallest(input, differs);
      expect.fail(
        `${decide(least).outcome} where the specification says ${referenceDecision(least)}: ${JSON.stringify(least, null, 2)}`,
      );
    }
    // The comparison says something only while all outcomes are common.
    for (const outcome of ['allowed', 'explicitDeny', 'implicitDeny']) {
      expect({ outcome, often: (outcomes.get(outcome) ?? 0) > runs / 50 }).toEqual({ outcome, often: true });
    }
  },
  runs * 3,
);

test(`P2 what is refused before the resource is known is refused whatever the resource (SLIPWAY_TEST_SEED=${seed})`, () => {
  const generator = new Generator(seed);
  const seen = { foreseen: 0, allowed: 0, wrong: [] as string[] };
  for (let run = 0; run < runs / 10; run++) {
    const input: ReferenceInput = {
      ...generator.input(),
      resourcePolicy: undefined,
      open: false,
      trust: false,
      policyDecides: false,
    };
    const { allowed } = decide(input);
    const refusal = foresee(policiesOf(input), principalOf(input.caller), input.action);
    if (allowed) seen.allowed++;
    if (refusal === undefined) continue;
    seen.foreseen++;
    if (allowed || refusal.allowed) seen.wrong.push(JSON.stringify(input, null, 2));
  }
  expect(seen.wrong[0]).toBeUndefined();
  // Enough of both, so that neither is always so.
  expect(Math.min(seen.foreseen, seen.allowed)).toBeGreaterThan(runs / 1000);
});

test('P2 a difference is told with the least that makes it', () => {
  const generator = new Generator(1);
  const denies = (input: ReferenceInput): boolean => decide(input).outcome === 'explicitDeny';
  let least: ReferenceInput | undefined;
  for (let i = 0; least === undefined; i++) {
    const input = generator.input();
    if (denies(input) && input.identity.length > 1 && Object.keys(input.context).length > 2)
      least = smallest(input, denies);
  }
  const policies = [
    ...least.identity,
    ...(least.session ?? []),
    ...least.restrictions,
    least.boundary,
    least.resourcePolicy,
  ];
  expect(policies.filter((text) => text !== undefined).join()).toMatch(/^\{[^}]*"Effect":"Deny"/);
  expect(policies.filter((text) => text !== undefined)).toHaveLength(1);
});
