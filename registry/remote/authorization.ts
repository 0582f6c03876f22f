import { RemoteError } from './errors.ts';

export interface RemoteCredentials {
  readonly username: string;
  readonly password: string;
}

interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: Readonly<Record<string, string>>;
}

const parameter = /(?<![a-zA-Z_])([a-zA-Z_]+)="([^"\\]*)"/g;

export function parseChallenge(header: string | null): Challenge | undefined {
  const scheme = /^(basic|bearer)\b/i.exec(header ?? '')?.[1]?.toLowerCase();
  if (scheme !== 'basic' && scheme !== 'bearer') return undefined;
  const parameters = Object.fromEntries(
    [...(header ?? '').matchAll(parameter)].map(([, name, value]) => [name, value]),
  );
  return { scheme, parameters: parameters as Record<string, string> };
}

const basic = ({ username, password }: RemoteCredentials): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** Answers a registry's challenge: Basic, or a token from the realm it names (distribution specification, "Token authentication"). */
export async function authorizationFor(
  challenge: Challenge,
  scope: string,
  credentials: RemoteCredentials | undefined,
  get: (url: string, headers: Record<string, string>) => Promise<Response>,
): Promise<{ readonly header: string; readonly seconds: number }> {
  if (challenge.scheme === 'basic') {
    if (credentials === undefined) throw new RemoteError('denied', 'the registry wants a login and none is configured');
    return { header: basic(credentials), seconds: 3600 };
  }
  const { realm, service } = challenge.parameters;
  if (realm === undefined || !URL.canParse(realm))
    throw new RemoteError('denied', 'the registry asks for a token without saying where to get it');
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope);
  const response = await get(url.href, credentials === undefined ? {} : { authorization: basic(credentials) });
  if (!response.ok)
    throw new RemoteError('denied', `no token from ${url.host}: ${response.status}`, { status: response.status });
  const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>;
  const token = answer['token'] ?? answer['access_token'];
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
    throw new RemoteError('denied', `${url.host} answered without a token`);
  const seconds = typeof answer['expires_in'] === 'number' ? answer['expires_in'] : 60;
  return { header: `Bearer ${token}`, seconds };
}
