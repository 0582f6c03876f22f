/**
 * The tokens we issue. Each use has its own `typ` and `aud`, so that a token of one use is worthless for another;
 * lifetimes are limits that verification enforces as well, whatever `exp` says.
 */
export const tokenUses = {
  /** The password of docker user `AWS`, from ECR's GetAuthorizationToken: 12 hours, as ECR gives. */
  authorization: { typ: 'slipway-ecr+jwt', audience: 'slipway:ecr', maxSeconds: 12 * 3600 },
  /** A docker Bearer token from `/token`; short, because its scopes were cut to what was allowed when it was issued. */
  access: { typ: 'slipway-access+jwt', audience: 'slipway:registry', maxSeconds: 300 },
  /** Between our own processes. */
  service: { typ: 'slipway-service+jwt', audience: 'slipway:service', maxSeconds: 3600 },
} as const;

export type TokenUse = keyof typeof tokenUses;

/** The only algorithm, for signing and verifying: Ed25519. */
export const ALGORITHM = 'EdDSA';

/** No token of ours is longer; what is gets refused before any cryptography. */
export const MAX_TOKEN_LENGTH = 12 * 1024;
