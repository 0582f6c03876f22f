import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compilePolicy } from './compile.ts';
import { contextOf } from './context.ts';
import { evaluate, type NamedPolicy } from './evaluate.ts';
import { parsePolicy } from './parse.ts';
import type { PolicyPrincipal } from './principal.ts';
import { anyInput } from './testing/generate.ts';
import { type ReferenceCaller, type ReferenceInput, referenceDecision } from './testing/reference.ts';

/** Policy sets per run; each is asked one question. */
const runs = { release: 3_000_000, nightly: 1_000_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 100_000;

const named = (texts: readonly string[], kind: 'identity' | 'resource' | 'trust'): NamedPolicy[] =>
  texts.map((text, index) => ({ name: `${kind}-${index}`, policy: compilePolicy(parsePolicy(text, kind)) }));

function principalOf(caller: ReferenceCaller): PolicyPrincipal {
  const { type, account, arn, id, issuerArn, issuerId } = caller;
  return issuerArn === undefined || issuerId === undefined
    ? { type, account, arn, id }
    : { type, account, arn, id, issuer: { arn: issuerArn, id: issuerId } };
}

function decide(input: ReferenceInput) {
  const [boundary] = named(input.boundary === undefined ? [] : [input.boundary], 'identity');
  return evaluate(
    {
      identity: named(input.identity, 'identity'),
      restrictions: named(input.restrictions, 'identity'),
      ...(boundary === undefined ? {} : { boundary }),
      ...(input.session === undefined ? {} : { session: named(input.session, 'identity') }),
    },
    {
      principal: principalOf(input.caller),
      action: input.action,
      resource: input.resource,
      resourceAccount: input.resourceAccount,
      resourcePolicies: named(
        input.resourcePolicy === undefined ? [] : [input.resourcePolicy],
        input.trust ? 'trust' : 'resource',
      ),
      trust: input.trust,
      context: contextOf(input.context),
    },
  );
}

test(
  'P2 every decision is the one of the evaluator written from the specification',
  () => {
    const outcomes = new Map<string, number>();
    fc.assert(
      fc.property(anyInput, (input) => {
        const expected = referenceDecision(input);
        const decision = decide(input);
        outcomes.set(expected, (outcomes.get(expected) ?? 0) + 1);
        expect(decision.outcome).toBe(expected);
        expect(decision.allowed).toBe(expected === 'allowed');
      }),
      { numRuns: runs },
    );
    // The comparison says something only while all outcomes are common.
    for (const outcome of ['allowed', 'explicitDeny', 'implicitDeny']) {
      expect({ outcome, often: (outcomes.get(outcome) ?? 0) > runs / 50 }).toEqual({ outcome, often: true });
    }
  },
  runs * 3,
);
