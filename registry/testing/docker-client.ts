import { ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { region, type ServedRegistry } from './serve-registry.ts';

/** The unmodified SDK client, as the administrator. */
export const ecrClient = (registry: ServedRegistry, credentials = registry.credentials): ECRClient =>
  new ECRClient({ endpoint: registry.url, region, credentials, maxAttempts: 1 });

/** What `docker login` sends: the password that GetAuthorizationToken gives. */
export async function passwordOf(registry: ServedRegistry, credentials = registry.credentials): Promise<string> {
  const client = ecrClient(registry, credentials);
  const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}));
  client.destroy();
  return Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64')
    .toString()
    .replace(/^AWS:/, '');
}

export type Fetch = (method: string, path: string, init?: RequestInit & { duplex?: 'half' }) => Promise<Response>;

/** Plain requests under `/v2/` with a login, none of them following redirects. */
export async function loggedIn(registry: ServedRegistry, credentials = registry.credentials): Promise<Fetch> {
  const authorization = `Basic ${Buffer.from(`AWS:${await passwordOf(registry, credentials)}`).toString('base64')}`;
  return (method, path, init = {}) =>
    fetch(registry.url + path, {
      ...init,
      method,
      redirect: 'manual',
      headers: { authorization, ...(init.headers as Record<string, string>) },
    });
}
