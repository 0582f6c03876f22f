import { parseIdentityArn, roleArn, userArn } from './arns.ts';
import { type Caller, callerOfRoleAlone, type Disowned, gatherCaller } from './caller.ts';
import { keys } from './keys.ts';
import type { Mirror } from './mirror.ts';

/**
 * The caller an ARN names, without credentials at hand: for explanations and simulation. A role, or a session of it, stands for any
 * session of the role without session policies.
 */
export function callerByArn(mirror: Mirror, arn: string): Caller | Disowned {
  const parsed = parseIdentityArn(arn);
  if (parsed === undefined) return { disowned: `${arn} is not the ARN of a user, a role or a session` };
  const { account, type } = parsed;
  if (type === 'root') return gatherCaller(mirror, { type: 'root', account, arn, id: account }, undefined);
  if (type === 'user') {
    const user = mirror.get(keys.user(parsed.name));
    if (user === undefined || userArn(account, user) !== arn) return { disowned: `the user ${arn} does not exist` };
    return gatherCaller(mirror, { type: 'user', account, arn, id: user.id }, undefined);
  }
  if (type === 'role' || type === 'assumed-role') {
    const session = type === 'assumed-role' ? parsed.name : 'session';
    const role = mirror.get(keys.role(type === 'role' ? parsed.name : parsed.path.slice(1, -1)));
    const own = role === undefined ? '' : roleArn(account, role);
    if (role === undefined || (type === 'role' && own !== arn))
      return { disowned: `the role of ${arn} does not exist` };
    return callerOfRoleAlone(mirror, account, role, session);
  }
  return { disowned: `${arn} is not the ARN of a user, a role or a session` };
}
