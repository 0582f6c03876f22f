import { readFileSync } from 'node:fs';
import type { BrowserOptions } from '@slipway/auth/browser';
import type { Outbound } from '@slipway/auth/outbound';
import { ConfigError, type ServerConfig } from './config.ts';

/**
 * Where people sign in to the console by OpenID Connect, as configured. The provider is called as those of IAM are: by the guarded client.
 * @throws ConfigError when the file of the secret cannot be read
 */
export function oidcSignIn(
  { oidc, account, region }: ServerConfig,
  outbound: Pick<Outbound, 'fetch'>,
): BrowserOptions['oidc'] {
  if (oidc === undefined) return undefined;
  const { clientSecretFile: file, ...settings } = oidc;
  return {
    settings: { ...settings, clientSecret: file === undefined ? undefined : secretIn(file) },
    fetch: (url, init) => outbound.fetch(url, { ...init, maxBytes: 256 * 1024 }),
    account,
    region,
  };
}

function secretIn(file: string): string {
  try {
    const secret = readFileSync(file, 'utf8').trim();
    if (secret !== '') return secret;
  } catch (cause) {
    throw new ConfigError(`SLIPWAY_OIDC_CLIENT_SECRET_FILE: ${(cause as Error).message}`, { cause });
  }
  throw new ConfigError(`SLIPWAY_OIDC_CLIENT_SECRET_FILE: ${file} is empty`);
}
