import { resolve } from 'node:path';
import type { OidcSettings } from '@slipway/auth/browser';
import { z } from 'zod';

const words = z
  .string()
  .default('')
  .transform((text) => text.split(',').flatMap((one) => (one.trim() === '' ? [] : [one.trim()])));

/** The variables about signing in to the console by OpenID Connect; see auth/browser/README.md. */
export const oidcShape = {
  SLIPWAY_OIDC_ISSUER: z.url({ protocol: /^https$/, message: 'must be an https URL' }).optional(),
  SLIPWAY_OIDC_CLIENT_ID: z.string().min(1).max(255).optional(),
  SLIPWAY_OIDC_CLIENT_SECRET_FILE: z.string().min(1).optional(),
  SLIPWAY_OIDC_ROLES: words.pipe(
    z
      .array(
        z.string().regex(/^arn:aws:iam::\d{12}:role\/[\w+=,.@/-]{1,512}$/, 'must be ARNs of roles, comma-separated'),
      )
      .max(20, 'takes 20 roles at most'),
  ),
  SLIPWAY_OIDC_SCOPES: words.pipe(
    z
      .array(z.string().regex(/^[\w.:/-]{1,128}$/, 'must be scopes, comma-separated'))
      .max(20, 'takes 20 scopes at most'),
  ),
  SLIPWAY_OIDC_NAME: z.string().min(1).max(64).optional(),
};

type OidcVariables = z.output<z.ZodObject<typeof oidcShape>>;

/** What lacks something, by variable. @param given the variables that are set at all */
export function oidcProblems(env: OidcVariables, given: ReadonlySet<string>): string[] {
  if (env.SLIPWAY_OIDC_ISSUER === undefined)
    return Object.keys(oidcShape)
      .filter((name) => given.has(name))
      .map((name) => `${name}: is of use only with SLIPWAY_OIDC_ISSUER`);
  const problems: string[] = [];
  if (env.SLIPWAY_OIDC_CLIENT_ID === undefined)
    problems.push('SLIPWAY_OIDC_CLIENT_ID: is needed with SLIPWAY_OIDC_ISSUER: what this installation is called there');
  if (env.SLIPWAY_OIDC_ROLES.length === 0)
    problems.push(
      'SLIPWAY_OIDC_ROLES: is needed with SLIPWAY_OIDC_ISSUER: whoever signs in gets the first of these roles that trusts them',
    );
  return problems;
}

/** As the variables say it: the secret lies in a file. */
export interface OidcConfig extends Omit<OidcSettings, 'clientSecret'> {
  readonly clientSecretFile: string | undefined;
}

export function oidcConfig(env: OidcVariables): OidcConfig | undefined {
  const {
    SLIPWAY_OIDC_ISSUER: issuer,
    SLIPWAY_OIDC_CLIENT_ID: clientId,
    SLIPWAY_OIDC_CLIENT_SECRET_FILE: file,
    SLIPWAY_OIDC_ROLES: [first, ...others],
  } = env;
  if (issuer === undefined || clientId === undefined || first === undefined) return undefined;
  return {
    issuer,
    clientId,
    clientSecretFile: file === undefined ? undefined : resolve(file),
    scopes: [...new Set(['openid', ...env.SLIPWAY_OIDC_SCOPES])],
    name: env.SLIPWAY_OIDC_NAME ?? new URL(issuer).host,
    roles: [first, ...others],
  };
}
