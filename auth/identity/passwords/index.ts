export { accountOfAlias, type AliasRow } from './aliases.ts';
export { Attempts } from './attempts.ts';
export { isPassword, wasPassword, withPassword } from './hash.ts';
export { openHashes, sealHashes } from './profile.ts';
export { checkPassword } from './rules.ts';
export { signIn, type SignInAttempt, type SignInVerdict } from './sign-in.ts';
