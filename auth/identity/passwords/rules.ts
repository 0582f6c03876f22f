import { AwsError } from '../../contract/index.ts';
import type { PasswordPolicyEntity } from '../entities.ts';

const symbols = /[!@#$%^&*()_+\-=[\]{}|']/;
const kinds = [/[A-Z]/, /[a-z]/, /[0-9]/, symbols] as const;

/**
 * Checks a new password against the account's policy, or where there is none against IAM's default: 8 characters, three of the four kinds,
 * not the account's name (IAM user guide, "Setting an account password policy").
 * @throws AwsError `PasswordPolicyViolationException`
 */
export function checkPassword(
  password: string,
  policy: PasswordPolicyEntity | undefined,
  names: { readonly account: string; readonly alias: string | undefined },
): void {
  const [upper, lower, digit, symbol] = kinds.map((kind) => kind.test(password)) as [
    boolean,
    boolean,
    boolean,
    boolean,
  ];
  if (policy === undefined) {
    if (password.length < 8) refuse('Password should have a minimum length of 8');
    if ([upper, lower, digit, symbol].filter(Boolean).length < 3)
      refuse('Password should have at least three of: uppercase letters, lowercase letters, numbers, symbols');
    if ([names.account, names.alias].some((name) => name?.toLowerCase() === password.toLowerCase()))
      refuse('Password should not be the name of the account');
    return;
  }
  if (password.length < policy.minimumLength)
    refuse(`Password should have a minimum length of ${policy.minimumLength}`);
  if (policy.requireUppercase && !upper) refuse('Password should have at least one uppercase letter');
  if (policy.requireLowercase && !lower) refuse('Password should have at least one lowercase letter');
  if (policy.requireNumbers && !digit) refuse('Password should have at least one number');
  if (policy.requireSymbols && !symbol) refuse('Password should have at least one symbol');
}

function refuse(message: string): never {
  throw new AwsError('PasswordPolicyViolationException', message);
}

/** Whether a password of that time has run out. */
export function hasExpired(changed: number, policy: PasswordPolicyEntity | undefined, now: number): boolean {
  return policy?.maxAgeDays !== undefined && now - changed > policy.maxAgeDays * 86_400_000;
}
