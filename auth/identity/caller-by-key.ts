import type { Accounts } from './accounts.ts';
import { userArn } from './arns.ts';
import type { PolicyAuthorizer } from './authorizer.ts';
import type { Caller, Disowned } from './caller.ts';
import { sessionPrincipal } from './credentials.ts';
import { keys } from './keys.ts';
import { accountOfAccessKey } from './ids.ts';
import type { Sessions } from './sessions.ts';

/** Whoever an access key stands for, as its requests are judged: a session with the policies it was made with. For explanations. */
export async function callerByKey(
  accounts: Accounts,
  sessions: Sessions,
  authorizer: PolicyAuthorizer,
  accessKeyId: string,
): Promise<Caller | Disowned> {
  const account = accountOfAccessKey(accessKeyId);
  const mirror = account === undefined ? undefined : await accounts.mirror(account);
  if (account === undefined || mirror === undefined) return { disowned: `there is no access key ${accessKeyId}` };
  if (accessKeyId.startsWith('ASIA')) {
    const session = await sessions.find(accessKeyId);
    return session === undefined
      ? { disowned: `the session of ${accessKeyId} does not exist: it ended more than an hour ago, or was revoked` }
      : authorizer.caller(sessionPrincipal(account, session));
  }
  const key = mirror.get(keys.accessKey(accessKeyId));
  const user = key === undefined ? undefined : mirror.get(keys.user(key.user));
  if (user === undefined || user.id !== key?.userId) return { disowned: `there is no access key ${accessKeyId}` };
  return authorizer.caller({ type: 'user', account, arn: userArn(account, user), id: user.id, accessKeyId });
}
