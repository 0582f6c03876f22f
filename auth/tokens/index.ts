export { ScopeError, TokenError } from './errors.ts';
export { type Sealer, tokenRows } from './keys.ts';
export { dockerActions, expandActions, formatScopes, parseScopes, restrictionOf } from './scopes.ts';
export { type Issued, TokenService, type TokenServiceOptions, type Verified } from './service.ts';
export { tokenUses, type TokenUse } from './uses.ts';
