import { arnOf, parseArn } from '../kit/index.ts';

/** IAM's ARNs (IAM user guide, "IAM identifiers"). Paths begin and end with `/`. */
export const iamArn = (account: string, type: string, path: string, name: string): string =>
  arnOf({ service: 'iam', region: '', account, resource: `${type}${path}${name}` });

export const userArn = (account: string, user: { path: string; name: string }): string =>
  iamArn(account, 'user', user.path, user.name);
export const groupArn = (account: string, group: { path: string; name: string }): string =>
  iamArn(account, 'group', group.path, group.name);
export const roleArn = (account: string, role: { path: string; name: string }): string =>
  iamArn(account, 'role', role.path, role.name);
export const policyArn = (account: string, policy: { path: string; name: string }): string =>
  iamArn(account, 'policy', policy.path, policy.name);
export const profileArn = (account: string, profile: { path: string; name: string }): string =>
  iamArn(account, 'instance-profile', profile.path, profile.name);
export const rootArn = (account: string): string => arnOf({ service: 'iam', region: '', account, resource: 'root' });
export const oidcProviderArn = (account: string, url: string): string => iamArn(account, 'oidc-provider', '/', url);
/** The role of container instances that is there from the start. */
export const instanceRole = { path: '/', name: 'slipwayContainerInstanceRole' };
/** A role's path does not appear in the ARN of its sessions. */
export const sessionArn = (account: string, roleName: string, session: string): string =>
  arnOf({ service: 'sts', region: '', account, resource: `assumed-role/${roleName}/${session}` });
export const federatedUserArn = (account: string, name: string): string =>
  arnOf({ service: 'sts', region: '', account, resource: `federated-user/${name}` });

/** The parts of an IAM or STS ARN. */
export interface IdentityArn {
  readonly service: 'iam' | 'sts';
  /** 12 digits, or `aws` for managed policies. */
  readonly account: string;
  /** `user`, `role`, `assumed-role`, …; `root` stands alone. */
  readonly type: string;
  /** Begins and ends with `/`. */
  readonly path: string;
  readonly name: string;
}

/** Whether a text is written as the ARN of a managed policy, of an account's own or of AWS's. */
export function isPolicyArn(text: string): boolean {
  const { service, region, account = '', resource = '' } = parseArn(text) ?? {};
  return service === 'iam' && region === '' && /^(?:aws|\d{12})$/.test(account) && /^policy\/./s.test(resource);
}

/** Takes an ARN of an identity apart, or undefined when it is not one. */
export function parseIdentityArn(arn: string): IdentityArn | undefined {
  const parts = parseArn(arn);
  if (parts === undefined) return undefined;
  const { service, account, resource: rest } = parts;
  if (service !== 'iam' && service !== 'sts') return undefined;
  const first = rest.indexOf('/');
  if (first === -1) return { service, account, type: rest, path: '/', name: rest };
  const last = rest.lastIndexOf('/');
  const name = rest.slice(last + 1);
  if (name === '') return undefined;
  return { service, account, type: rest.slice(0, first), path: rest.slice(first, last + 1), name };
}
