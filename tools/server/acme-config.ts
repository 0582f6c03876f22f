import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { AcmeSettings } from '@slipway/auth/acme';
import { z } from 'zod';

const letsEncrypt = 'https://acme-v02.api.letsencrypt.org/directory';

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const isDnsName = (name: string): boolean => name.length <= 253 && name.split('.').every((part) => label.test(part));

/** What one certificate may be for: names and addresses without port. */
const names = z
  .string()
  .default('')
  .transform((text) => [
    ...new Set(
      text
        .split(',')
        .map((name) => name.trim().toLowerCase())
        .filter((name) => name !== ''),
    ),
  ])
  .refine((all) => !all.some((name) => name.startsWith('*')), {
    message: 'wildcards need a proof by DNS, which is not offered; name each host',
    abort: true,
  })
  .refine(
    (all) => all.every((name) => isIP(name) !== 0 || isDnsName(name)),
    'must be names and addresses without port, comma-separated',
  )
  .refine((all) => all.length <= 100, 'authorities put at most 100 names into a certificate');

/** The variables about certificates by ACME; see auth/acme/README.md. */
export const acmeShape = {
  SLIPWAY_ACME_DOMAINS: names,
  SLIPWAY_ACME_AGREE_TO_TERMS: z.enum(['true', 'false']).default('false'),
  SLIPWAY_ACME_EMAIL: z.email('must be an e-mail address').optional(),
  SLIPWAY_ACME_DIRECTORY: z.url({ protocol: /^https$/, message: 'must be an https URL' }).default(letsEncrypt),
  SLIPWAY_ACME_CA_FILE: z.string().min(1).optional(),
  SLIPWAY_ACME_CHALLENGE: z.enum(['http-01', 'tls-alpn-01']).default('http-01'),
  SLIPWAY_ACME_HTTP_PORT: z.coerce.number().int().min(1).max(65_535).default(80),
  SLIPWAY_ACME_PROFILE: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'must be the name of a profile that the authority offers')
    .optional(),
  SLIPWAY_ACME_EAB_KID: z.string().min(1).optional(),
  SLIPWAY_ACME_EAB_KEY_FILE: z.string().min(1).optional(),
};

type AcmeVariables = z.output<z.ZodObject<typeof acmeShape>>;

/** The other settings that matter to these. */
interface Beside {
  readonly SLIPWAY_PORT: number;
  readonly SLIPWAY_TLS_CERTIFICATE?: string | undefined;
  readonly SLIPWAY_ALLOW_PLAIN_HTTP: 'true' | 'false';
}

/** What contradicts itself or lacks something, by variable. @param given the variables that are set at all */
export function acmeProblems(env: AcmeVariables & Beside, given: ReadonlySet<string>): string[] {
  const problems: string[] = [];
  if (env.SLIPWAY_ACME_DOMAINS.length === 0) {
    for (const name of Object.keys(acmeShape))
      if (given.has(name) && name !== 'SLIPWAY_ACME_DOMAINS')
        problems.push(`${name}: is of use only with SLIPWAY_ACME_DOMAINS`);
    return problems;
  }
  if (env.SLIPWAY_ACME_AGREE_TO_TERMS !== 'true')
    problems.push(
      "SLIPWAY_ACME_AGREE_TO_TERMS: set it to true if you agree to the authority's terms of service; it gives no certificates without",
    );
  if (env.SLIPWAY_TLS_CERTIFICATE !== undefined)
    problems.push(
      'SLIPWAY_ACME_DOMAINS and SLIPWAY_TLS_CERTIFICATE: set one; a certificate comes by ACME or from files',
    );
  if (env.SLIPWAY_ALLOW_PLAIN_HTTP === 'true')
    problems.push(
      'SLIPWAY_ACME_DOMAINS and SLIPWAY_ALLOW_PLAIN_HTTP: set one; with a certificate plain HTTP is not served',
    );
  if ((env.SLIPWAY_ACME_EAB_KID === undefined) !== (env.SLIPWAY_ACME_EAB_KEY_FILE === undefined))
    problems.push('SLIPWAY_ACME_EAB_KID and SLIPWAY_ACME_EAB_KEY_FILE: set both or neither');
  if (env.SLIPWAY_ACME_CHALLENGE === 'tls-alpn-01' && given.has('SLIPWAY_ACME_HTTP_PORT'))
    problems.push('SLIPWAY_ACME_HTTP_PORT: is of use only with SLIPWAY_ACME_CHALLENGE=http-01');
  if (env.SLIPWAY_ACME_CHALLENGE === 'http-01' && env.SLIPWAY_ACME_HTTP_PORT === env.SLIPWAY_PORT)
    problems.push('SLIPWAY_ACME_HTTP_PORT: challenges need a port beside SLIPWAY_PORT');
  return problems;
}

export function acmeSettings(env: AcmeVariables): AcmeSettings | undefined {
  if (env.SLIPWAY_ACME_DOMAINS.length === 0) return undefined;
  const { SLIPWAY_ACME_EAB_KID: keyId, SLIPWAY_ACME_EAB_KEY_FILE: keyFile } = env;
  return {
    directory: env.SLIPWAY_ACME_DIRECTORY,
    names: env.SLIPWAY_ACME_DOMAINS,
    email: env.SLIPWAY_ACME_EMAIL,
    externalAccount: keyId === undefined || keyFile === undefined ? undefined : { keyId, keyFile: resolve(keyFile) },
    authoritiesFile: env.SLIPWAY_ACME_CA_FILE === undefined ? undefined : resolve(env.SLIPWAY_ACME_CA_FILE),
    challenge: env.SLIPWAY_ACME_CHALLENGE,
    httpPort: env.SLIPWAY_ACME_HTTP_PORT,
    profile: env.SLIPWAY_ACME_PROFILE,
  };
}
