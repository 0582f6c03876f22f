import type { AccessList, Call, ConditionContext, ResourceRef } from '../../contract/index.ts';
import { groupArn, iamArn, policyArn, profileArn, roleArn, userArn } from '../arns.ts';
import type { Tags } from '../entities.ts';
import { keys } from '../keys.ts';
import { validationError } from '../errors.ts';
import { parseIdentityArn } from '../arns.ts';
import type { Iam } from './iam.ts';

/** What an IAM operation acts on, as policies name it. An entity that does not exist is asked about under the path `/`. */
export const resourceOf = {
  async user(iam: Iam, call: Call, name: string | undefined): Promise<ResourceRef> {
    const user = name === undefined ? undefined : await iam.find(call.account, keys.user(name));
    return user === undefined ? newEntity(call, 'user', name) : { arn: userArn(call.account, user), tags: user.tags };
  },
  async group(iam: Iam, call: Call, name: string | undefined): Promise<ResourceRef> {
    const group = name === undefined ? undefined : await iam.find(call.account, keys.group(name));
    return group === undefined ? newEntity(call, 'group', name) : { arn: groupArn(call.account, group) };
  },
  async role(iam: Iam, call: Call, name: string | undefined): Promise<ResourceRef> {
    const role = name === undefined ? undefined : await iam.find(call.account, keys.role(name));
    return role === undefined ? newEntity(call, 'role', name) : { arn: roleArn(call.account, role), tags: role.tags };
  },
  async profile(iam: Iam, call: Call, name: string | undefined): Promise<ResourceRef> {
    const profile = name === undefined ? undefined : await iam.find(call.account, keys.profile(name));
    return profile === undefined
      ? newEntity(call, 'instance-profile', name)
      : { arn: profileArn(call.account, profile), tags: profile.tags };
  },
  async policy(iam: Iam, call: Call, arn: string | undefined): Promise<ResourceRef> {
    const name = parseIdentityArn(arn ?? '')?.name;
    const policy = name === undefined ? undefined : await iam.find(call.account, keys.policy(name));
    const tags: { tags?: Tags } =
      policy !== undefined && policyArn(call.account, policy) === arn ? { tags: policy.tags } : {};
    return { arn: arn ?? '*', ...tags };
  },
} as const;

/** The ARN that an entity will have, or would have if it existed. */
export function newEntity(call: Call, type: string, name: string | undefined, path = '/'): ResourceRef {
  return { arn: iamArn(call.account, type, path, name ?? '') };
}

/** One action on one resource. */
export function need(action: string, resource: ResourceRef, context?: ConditionContext): AccessList {
  return [{ action: `iam:${action}`, resources: [resource], ...(context === undefined ? {} : { context }) }];
}

/** Account-level actions have no resource. */
export const needAccount = (action: string, context?: ConditionContext): AccessList =>
  need(action, { arn: '*' }, context);

/** The user an operation is about: the one that is named, or the caller. @throws AwsError `ValidationError` */
export async function userNameOf(iam: Iam, call: Call, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  if (call.principal.type === 'user') {
    const mirror = await iam.accounts.mirror(call.account);
    const user = mirror?.byId(call.principal.id);
    if (user?.kind === 'user') return user.name;
  }
  throw validationError('Must specify userName when calling with non-User credentials');
}
