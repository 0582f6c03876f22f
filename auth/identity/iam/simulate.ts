import type { ContextEntry, EvaluationResult, PolicySourceType, Statement } from '@aws-sdk/client-iam';
import type { Call } from '../../contract/index.ts';
import {
  compiledPolicy,
  contextOf,
  type Explanation,
  evaluate,
  explain,
  type NamedPolicy,
  placeOf,
} from '../../policy/index.ts';
import type { PolicyKind, PolicyLayer, PolicyPrincipal, PolicyRequest, PrincipalPolicies } from '../../policy/index.ts';
import { parseIdentityArn, userArn } from '../arns.ts';
import { type Caller, policiesOf } from '../caller.ts';
import { callerByArn } from '../caller-by-arn.ts';
import { keys } from '../keys.ts';
import { invalidInput, noSuchEntity, readPolicy } from '../errors.ts';
import { accountOfResource } from '../resources.ts';
import { need, needAccount } from './access.ts';
import type { Iam, IamOperations } from './iam.ts';
import { type Paged, pageOfList, type PagingInput } from './paging.ts';

interface SimulationInput extends PagingInput {
  readonly ActionNames?: readonly string[] | undefined;
  readonly ResourceArns?: readonly string[] | undefined;
  readonly ResourcePolicy?: string | undefined;
  readonly ResourceOwner?: string | undefined;
  readonly CallerArn?: string | undefined;
  readonly ContextEntries?: readonly ContextEntry[] | undefined;
  readonly PolicyInputList?: readonly string[] | undefined;
  readonly PermissionsBoundaryPolicyInputList?: readonly string[] | undefined;
}

interface Subject {
  readonly principal: PolicyPrincipal;
  readonly policies: PrincipalPolicies;
  readonly keys: ReadonlyMap<string, string>;
}

function given(texts: readonly string[] | undefined, name: string, kind: PolicyKind): NamedPolicy[] {
  return (texts ?? []).map((text, index) => {
    readPolicy(text, kind);
    return { name: `${name}.${index + 1}`, policy: compiledPolicy(text, kind) };
  });
}

/** Every action with every resource, in the order they were given. */
async function simulate(
  iam: Iam,
  call: Call,
  subject: Subject,
  input: SimulationInput,
): Promise<Paged<EvaluationResult>> {
  const boundaries = given(input.PermissionsBoundaryPolicyInputList, 'PermissionsBoundaryPolicyInputList', 'identity');
  if (boundaries.length > 1) throw invalidInput('At most one permissions boundary can be simulated');
  const policies: PrincipalPolicies = {
    ...subject.policies,
    identity: [...subject.policies.identity, ...given(input.PolicyInputList, 'PolicyInputList', 'identity')],
    ...(boundaries[0] === undefined ? {} : { boundary: boundaries[0] }),
  };
  const texts = input.ResourcePolicy === undefined ? undefined : [input.ResourcePolicy];
  const resourcePolicies = given(texts, 'ResourcePolicy', 'resource').map(({ policy }) => ({
    name: 'ResourcePolicy',
    policy,
  }));
  const context = readContext(subject, input.ContextEntries);
  const resources = (input.ResourceArns?.length ?? 0) === 0 ? ['*'] : (input.ResourceArns as readonly string[]);
  const pairs = (input.ActionNames ?? []).flatMap((action) => resources.map((resource) => ({ action, resource })));
  const numbered = pairs.map((pair, index) => ({ ...pair, key: String(index).padStart(8, '0') }));
  const list = ['simulation', subject.principal.arn, input.ActionNames, resources];
  const page = await pageOfList(iam, call.account, list, numbered, ({ key }) => key, input);
  const items = page.items.map(({ action, resource }) => {
    if (!/^[A-Za-z0-9-]+:[A-Za-z0-9]+$/.test(action))
      throw invalidInput(`Invalid Entity Name: ${action} is not service:Action`);
    const request: PolicyRequest = {
      principal: subject.principal,
      action,
      resource,
      resourceAccount: accountOfResource(input.ResourceOwner ?? '') ?? accountOfResource(resource) ?? call.account,
      resourcePolicies,
      context,
    };
    return result(policies, request);
  });
  return { items, truncation: page.truncation };
}

function readContext(subject: Subject, entries: readonly ContextEntry[] | undefined) {
  const context: Record<string, string | readonly string[]> = Object.fromEntries(subject.keys);
  for (const { ContextKeyName = '', ContextKeyValues = [], ContextKeyType = 'string' } of entries ?? []) {
    const isList = ContextKeyType.endsWith('List') || ContextKeyValues.length !== 1;
    context[ContextKeyName.toLowerCase()] = isList ? ContextKeyValues : (ContextKeyValues[0] as string);
  }
  return contextOf(context);
}

function result(policies: PrincipalPolicies, request: PolicyRequest): EvaluationResult {
  const explanation = explain(policies, request);
  const { boundary } = policies;
  return {
    EvalActionName: request.action,
    EvalResourceName: request.resource,
    EvalDecision: explanation.decision.outcome,
    MatchedStatements: matched(policies, request, explanation),
    MissingContextValues: [...explanation.missingKeys],
    ...(boundary === undefined
      ? {}
      : {
          PermissionsBoundaryDecisionDetail: {
            AllowedByPermissionsBoundary: evaluate({ identity: [boundary] }, { ...request, resourcePolicies: [] })
              .allowed,
          },
        }),
  };
}

/** The statements that speak for the decision: the denying ones of a denial, the allowing ones otherwise. */
function matched(
  policies: PrincipalPolicies,
  request: PolicyRequest,
  { decision, findings }: Explanation,
): Statement[] {
  const effect = decision.outcome === 'explicitDeny' ? 'Deny' : 'Allow';
  const all = [
    ...policies.identity,
    ...(policies.boundary === undefined ? [] : [policies.boundary]),
    ...request.resourcePolicies,
  ];
  return findings
    .filter((finding) => finding.matched && finding.effect === effect)
    .map((finding) => {
      const { document } = (all.find(({ name }) => name === finding.policy) as NamedPolicy).policy;
      const statement = document.statements[finding.index];
      const at = (offset: number) => {
        const { line, column } = placeOf(document.text, offset);
        return { Line: line, Column: column };
      };
      return {
        SourcePolicyId: finding.policy,
        SourcePolicyType: sourceType(finding.policy, finding.layer, request.principal),
        ...(statement === undefined ? {} : { StartPosition: at(statement.start), EndPosition: at(statement.end) }),
      };
    });
}

function sourceType(name: string, layer: PolicyLayer, principal: PolicyPrincipal): PolicySourceType {
  if (layer === 'resource') return 'resource';
  if (name.includes('arn:aws:iam::aws:')) return 'aws-managed';
  if (name.includes('arn:')) return 'user-managed';
  if (!name.startsWith('inline:')) return 'none';
  if (name.includes('/')) return 'group';
  return principal.type === 'user' ? 'user' : 'role';
}

const nobody = (call: Call): Subject => ({
  principal: {
    type: 'user',
    account: call.account,
    arn: userArn(call.account, { path: '/', name: 'simulated' }),
    id: 'simulated',
  },
  policies: { identity: [] },
  keys: new Map(),
});

/** The user, group or role whose policies are simulated. @throws AwsError */
async function subjectOf(iam: Iam, call: Call, arn: string): Promise<Subject> {
  const parsed = parseIdentityArn(arn);
  const mirror = parsed?.account === call.account ? await iam.accounts.mirror(call.account) : undefined;
  if (parsed === undefined || mirror === undefined) throw invalidInput(`Invalid Entity Arn: ${arn}`);
  if (parsed.type === 'group') {
    const group = mirror.get(keys.group(parsed.name));
    if (group === undefined) throw noSuchEntity(`The group with name ${parsed.name} cannot be found.`);
    return { ...nobody(call), policies: { identity: policiesOf(mirror, group, `${group.name}/`) } };
  }
  if (parsed.type !== 'user' && parsed.type !== 'role') throw invalidInput(`Invalid Entity Arn: ${arn}`);
  const caller = callerByArn(mirror, arn);
  if ('disowned' in caller) throw noSuchEntity(`The ${parsed.type} with name ${parsed.name} cannot be found.`);
  return caller;
}

/** `CallerArn` replaces the principal that resource policies see. */
async function withCaller(iam: Iam, call: Call, subject: Subject, arn: string | undefined): Promise<Subject> {
  if (arn === undefined) return subject;
  // Of other accounts not even the existence of a user may show.
  const mirror = parseIdentityArn(arn)?.account === call.account ? await iam.accounts.mirror(call.account) : undefined;
  const caller: Caller | undefined = mirror === undefined ? undefined : orNothing(callerByArn(mirror, arn));
  if (caller === undefined) throw invalidInput(`Invalid CallerArn: ${arn} is not a user or role of this account`);
  return { principal: caller.principal, policies: subject.policies, keys: caller.keys };
}

const orNothing = (caller: ReturnType<typeof callerByArn>): Caller | undefined =>
  'disowned' in caller ? undefined : caller;

/** The condition keys that policies look at, as they are written there. */
function contextKeys(policies: readonly NamedPolicy[]): string[] {
  return [...new Set(policies.flatMap(({ policy }) => [...policy.keys]))].toSorted();
}

export function simulationOperations(iam: Iam): IamOperations {
  return {
    SimulatePrincipalPolicy: {
      access: (input) => need('SimulatePrincipalPolicy', { arn: input.PolicySourceArn ?? '*' }),
      async handle(input, call) {
        const subject = await subjectOf(iam, call, input.PolicySourceArn ?? '');
        const page = await simulate(iam, call, await withCaller(iam, call, subject, input.CallerArn), input);
        return { EvaluationResults: page.items, ...page.truncation };
      },
    },
    SimulateCustomPolicy: {
      access: () => needAccount('SimulateCustomPolicy'),
      async handle(input, call) {
        const page = await simulate(iam, call, await withCaller(iam, call, nobody(call), input.CallerArn), input);
        return { EvaluationResults: page.items, ...page.truncation };
      },
    },
    GetContextKeysForCustomPolicy: {
      access: () => needAccount('GetContextKeysForCustomPolicy'),
      async handle(input) {
        return { ContextKeyNames: contextKeys(given(input.PolicyInputList, 'PolicyInputList', 'identity')) };
      },
    },
    GetContextKeysForPrincipalPolicy: {
      access: (input) => need('GetContextKeysForPrincipalPolicy', { arn: input.PolicySourceArn ?? '*' }),
      async handle(input, call) {
        const { policies } = await subjectOf(iam, call, input.PolicySourceArn ?? '');
        const own = [...policies.identity, ...(policies.boundary === undefined ? [] : [policies.boundary])];
        return {
          ContextKeyNames: contextKeys([...own, ...given(input.PolicyInputList, 'PolicyInputList', 'identity')]),
        };
      },
    },
  };
}
