import type { Principal } from '../../contract/index.ts';
import type { Accounts } from '../accounts.ts';
import { userArn } from '../arns.ts';
import { keys } from '../keys.ts';
import { accountOfAlias } from './aliases.ts';
import type { Attempts } from './attempts.ts';
import { isPassword, noPassword } from './hash.ts';
import { openHashes } from './profile.ts';
import { hasExpired } from './rules.ts';

/** Who says to be whom, by a password. */
export interface SignInAttempt {
  /** 12 digits, or the account's alias. */
  readonly account: string;
  readonly user: string;
  readonly password: string;
  /** Where the request came from, as the front door knows it. */
  readonly sourceIp: string;
}

/** What came of it. What was wrong is not told: the account, the user and the password may each be. */
export type SignInVerdict =
  | {
      readonly outcome: 'accepted';
      readonly principal: Principal;
      /** The password must be changed before anything else is done: it was set by somebody else, or has run out. */
      readonly mustChange: boolean;
    }
  | { readonly outcome: 'refused' }
  /** The password has run out, and the account's policy wants an administrator to set another one. */
  | { readonly outcome: 'expired' }
  /** Too many wrong passwords, for this user or from this address. */
  | { readonly outcome: 'wait'; readonly milliseconds: number };

const longestName = 128;

/**
 * Verifies a user's console password. Names are found without regard to case, as IAM's are; users without a password, unknown ones and
 * unknown accounts take as long as others and are answered alike.
 * @throws StoreUnavailable, AwsError `Throttling` when too many passwords are being checked already
 */
export async function signIn(accounts: Accounts, attempts: Attempts, attempt: SignInAttempt): Promise<SignInVerdict> {
  const { password, sourceIp } = attempt;
  const since = accounts.ports.clock.now();
  const name = attempt.user.slice(0, longestName + 1);
  const address = attempts.fromAddress(sourceIp);
  if (address > 0) return { outcome: 'wait', milliseconds: address };
  const account = await accountOfAlias(accounts, attempt.account);
  const mirror = account === undefined ? undefined : await accounts.mirror(account);
  await mirror?.verify();
  const user = mirror?.get(keys.user(name));
  const profile = user === undefined ? undefined : mirror?.get(keys.loginProfile(user.id));
  if (account === undefined || user === undefined || profile === undefined || password.length > 128) {
    const wait = attempts.beginUnknown(account ?? attempt.account.slice(0, 64), name.toLowerCase());
    if (wait > 0) return { outcome: 'wait', milliseconds: wait };
    await noPassword(password.slice(0, 128));
    return { outcome: 'refused' };
  }
  const wait = await attempts.begin(account, user.id);
  if (wait > 0) return { outcome: 'wait', milliseconds: wait };
  if (!(await isPassword(openHashes(accounts.ports.seal, profile), password))) return { outcome: 'refused' };
  await attempts.succeeded(account, user.id);
  const policy = mirror?.get(keys.passwordPolicy);
  const expired = hasExpired(profile.changed, policy, accounts.ports.clock.now());
  if (expired && policy?.hardExpiry === true) return { outcome: 'expired' };
  return {
    outcome: 'accepted',
    principal: {
      type: 'user',
      account,
      arn: userArn(account, user),
      id: user.id,
      console: { since, passwordSet: profile.changed },
    },
    mustChange: profile.resetRequired || expired,
  };
}
