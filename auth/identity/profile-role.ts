import type { Accounts } from './accounts.ts';
import { parseIdentityArn, roleArn } from './arns.ts';
import { keys } from './keys.ts';

/**
 * The ARN of the role that an instance profile has. @param profile its ARN or its name
 * @returns undefined without such a profile in the account, or without a role in it
 */
export async function roleOfProfile(
  accounts: Accounts,
  account: string,
  { Arn, Name }: { readonly Arn?: string | undefined; readonly Name?: string | undefined },
): Promise<string | undefined> {
  const parsed = Arn === undefined ? undefined : parseIdentityArn(Arn);
  if (Arn !== undefined && (parsed?.type !== 'instance-profile' || parsed.account !== account)) return undefined;
  const name = parsed?.name ?? Name ?? '';
  const mirror = await accounts.mirror(account);
  // What a server does not know may be new: it looks once more.
  if (mirror !== undefined && mirror.get(keys.profile(name))?.role === undefined) await mirror.verify();
  const profile = mirror?.get(keys.profile(name));
  const role = profile?.role === undefined ? undefined : mirror?.get(keys.role(profile.role));
  return role === undefined ? undefined : roleArn(account, role);
}
