import { type AwsError, type CallOptions, iam, send, unlessRefused } from './aws.ts';

/** What has policies. */
export type HolderKind = 'User' | 'Role' | 'Group';

export interface Holder {
  readonly kind: HolderKind;
  readonly name: string;
}

/** Operations that IAM has once for users, roles and groups, by the same members. @throws AwsError */
const ofHolder = <T>({ kind, name }: Holder, operation: string, more: object, options: CallOptions = {}): Promise<T> =>
  send(`2010-05-08/${operation.replace('*', kind)}`, { [`${kind}Name`]: name, ...more }, options) as Promise<T>;

interface Attached {
  readonly AttachedPolicies?: readonly { readonly PolicyArn: string; readonly PolicyName: string }[];
}

/** A policy that somebody has: their own by its name, or one that is managed by its ARN. */
export interface HeldPolicy {
  readonly name: string;
  readonly arn: string | undefined;
}

export interface Held {
  readonly policies: readonly HeldPolicy[];
  /** Of roles: who may take them on. */
  readonly trust: string | undefined;
}

/** Policies of one page of an answer: more than anybody is allowed to have. */
const all = { MaxItems: 1000 };

export async function readHolder(holder: Holder, signal: AbortSignal): Promise<Held> {
  const [attached, own, role] = await Promise.all([
    ofHolder<Attached>(holder, 'ListAttached*Policies', all, { signal }),
    ofHolder<{ readonly PolicyNames?: readonly string[] }>(holder, 'List*Policies', all, { signal }),
    holder.kind === 'Role' ? iam('GetRole', { RoleName: holder.name }, { signal }) : undefined,
  ]);
  const trust = role?.Role?.AssumeRolePolicyDocument;
  return {
    policies: [
      ...(own.PolicyNames ?? []).map((name) => ({ name, arn: undefined })),
      ...(attached.AttachedPolicies ?? []).map(({ PolicyName, PolicyArn }) => ({ name: PolicyName, arn: PolicyArn })),
    ],
    trust: trust === undefined ? undefined : indented(decodeURIComponent(trust)),
  };
}

/** The text of a policy that somebody has alone. @throws AwsError */
export async function readInline(holder: Holder, PolicyName: string, signal: AbortSignal): Promise<string> {
  const { PolicyDocument = '' } = await ofHolder<{ PolicyDocument?: string }>(
    holder,
    'Get*Policy',
    { PolicyName },
    { signal },
  );
  return indented(decodeURIComponent(PolicyDocument));
}

export const attach = (holder: Holder, PolicyArn: string, options?: CallOptions): Promise<unknown> =>
  ofHolder(holder, 'Attach*Policy', { PolicyArn }, options);
export const detach = (holder: Holder, PolicyArn: string, options?: CallOptions): Promise<unknown> =>
  ofHolder(holder, 'Detach*Policy', { PolicyArn }, options);
export const putInline = (
  holder: Holder,
  PolicyName: string,
  PolicyDocument: string,
  options?: CallOptions,
): Promise<unknown> => ofHolder(holder, 'Put*Policy', { PolicyName, PolicyDocument }, options);
export const deleteInline = (holder: Holder, PolicyName: string, options?: CallOptions): Promise<unknown> =>
  ofHolder(holder, 'Delete*Policy', { PolicyName }, options);

export interface PolicyVersion {
  readonly id: string;
  readonly isDefault: boolean;
  readonly made: number | undefined;
}

export interface ManagedPolicy {
  readonly name: string;
  readonly arn: string;
  readonly text: string;
  readonly defaultVersion: string;
  readonly versions: readonly PolicyVersion[];
  /** Undefined where the caller may not see them. */
  readonly holders: readonly Holder[] | undefined;
}

/** AWS's own are there for everybody, and changed by nobody. */
export const isOfAws = (arn: string): boolean => arn.startsWith('arn:aws:iam::aws:');

export async function readPolicy(PolicyArn: string, signal: AbortSignal): Promise<ManagedPolicy> {
  const [{ Policy }, { Versions = [] }, holders] = await Promise.all([
    iam('GetPolicy', { PolicyArn }, { signal }),
    iam('ListPolicyVersions', { PolicyArn }, { signal }),
    unlessRefused(iam('ListEntitiesForPolicy', { PolicyArn, ...all }, { signal }), undefined),
  ]);
  const VersionId = Policy?.DefaultVersionId ?? 'v1';
  const { PolicyVersion: version } = await iam('GetPolicyVersion', { PolicyArn, VersionId }, { signal });
  return {
    name: Policy?.PolicyName ?? '',
    arn: PolicyArn,
    text: indented(decodeURIComponent(version?.Document ?? '')),
    defaultVersion: VersionId,
    versions: Versions.map(({ VersionId: id = '', IsDefaultVersion = false, CreateDate }) => ({
      id,
      isDefault: IsDefaultVersion,
      made: CreateDate,
    })),
    holders: holders && [
      ...(holders.PolicyUsers ?? []).map(({ UserName = '' }) => ({ kind: 'User' as const, name: UserName })),
      ...(holders.PolicyRoles ?? []).map(({ RoleName = '' }) => ({ kind: 'Role' as const, name: RoleName })),
      ...(holders.PolicyGroups ?? []).map(({ GroupName = '' }) => ({ kind: 'Group' as const, name: GroupName })),
    ],
  };
}

/** Every policy that can be attached, the account's own first. */
export async function readPolicies(signal?: AbortSignal): Promise<readonly { name: string; arn: string }[]> {
  const { Policies = [] } = await iam('ListPolicies', all, { signal });
  const named = Policies.map(({ PolicyName: name = '', Arn: arn = '' }) => ({ name, arn }));
  return named.toSorted((a, b) => Number(isOfAws(a.arn)) - Number(isOfAws(b.arn)) || a.name.localeCompare(b.name));
}

/**
 * Whether a policy is one, as the server reads it when it is put in place: IAM's own simulation reads it, and nothing is changed.
 * @throws AwsError which says what is wrong, and where
 */
export const validate = (document: string, signal: AbortSignal): Promise<unknown> =>
  iam('SimulateCustomPolicy', { PolicyInputList: [document], ActionNames: ['iam:GetUser'] }, { signal });

/** Where in a document the server found something wrong, counted from 1. */
export interface Place {
  /** For instance `Statement[1].Action`; undefined for the document as a whole. */
  readonly path: string | undefined;
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a document, where an error says that; undefined for errors about something else. */
export function wrongIn(error: AwsError): { readonly problem: string; readonly place: Place } | undefined {
  if (!error.code.startsWith('MalformedPolicyDocument')) return undefined;
  const found = /^(.*) \((?:(\S+), )?line (\d{1,7}), column (\d{1,7})\)$/s.exec(error.message);
  const [, problem = error.message, path, line = '1', column = '1'] = found ?? [];
  return { problem, place: { path, line: Number(line), column: Number(column) } };
}

/** Offsets of what is between two ends of a line of a text; of its last one where it has fewer. */
export function lineIn(text: string, line: number): { readonly from: number; readonly to: number } {
  let from = 0;
  for (let at = 1; at < line; at++) {
    const next = text.indexOf('\n', from);
    if (next === -1) break;
    from = next + 1;
  }
  const end = text.indexOf('\n', from);
  return { from, to: end === -1 ? text.length : end };
}

/** As people write it; as it is where it is no JSON. */
export function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}
