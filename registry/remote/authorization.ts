import { z } from 'zod';
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

/**
 * Whether a registry's login may be sent to a realm that the registry names: to its own address, and by https to other hosts of its
 * domain (`auth.docker.io` for `registry-1.docker.io`, `gitlab.com` for `registry.gitlab.com`). A registry that was taken over, or
 * somebody on the way to one without https, could otherwise collect the login wherever they like.
 */
export function mayLogInAt(registry: URL, realm: URL): boolean {
  if (realm.username !== '' || realm.password !== '') return false;
  if (realm.origin === registry.origin) return true;
  const parent = registry.hostname.slice(registry.hostname.indexOf('.') + 1);
  const isDomain = parent.includes('.') && !/^[\d.]+$/.test(parent) && !publicSuffix.test(parent);
  if (realm.protocol !== 'https:' || registry.protocol !== 'https:' || realm.port !== '' || !isDomain) return false;
  return realm.hostname === parent || realm.hostname.endsWith(`.${parent}`);
}

/** `co.uk`, `com.au`, …: not a domain of anybody's. Some short names of countries that are are taken for one, which only refuses more. */
const publicSuffix = /^[a-z0-9-]{1,3}\.[a-z]{2}$/;

/**
 * Answers a registry's challenge: Basic, or a token from the realm it names (distribution specification, "Token authentication").
 * @param read the whole body, of bounded size
 * @throws RemoteError `denied`, also for a realm that the login must not go to; what `read` throws
 */
export async function authorizationFor(
  registry: URL,
  challenge: Challenge,
  scope: string,
  credentials: RemoteCredentials | undefined,
  get: (url: string, headers: Record<string, string>) => Promise<Response>,
  read: (response: Response, what: string) => Promise<Buffer>,
): Promise<{ readonly header: string; readonly seconds: number }> {
  if (challenge.scheme === 'basic') {
    if (credentials === undefined) throw new RemoteError('denied', 'the registry wants a login and none is configured');
    return { header: basic(credentials), seconds: 3600 };
  }
  const { realm, service } = challenge.parameters;
  if (realm === undefined || !URL.canParse(realm))
    throw new RemoteError('denied', 'the registry asks for a token without saying where to get it');
  const url = new URL(realm);
  if (credentials !== undefined && !mayLogInAt(registry, url))
    throw new RemoteError(
      'denied',
      `${registry.host} wants its login sent to ${url.host}, which is not its own: not sent`,
    );
  if (service !== undefined) url.searchParams.set('service', service);
  url.searchParams.set('scope', scope);
  const response = await get(url.href, credentials === undefined ? {} : { authorization: basic(credentials) });
  if (!response.ok)
    throw new RemoteError('denied', `no token from ${url.host}: ${response.status}`, { status: response.status });
  const { token, seconds } = tokenIn(await read(response, `GET ${url.host}${url.pathname}`));
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token))
    throw new RemoteError('denied', `${url.host} answered without a token`);
  return { header: `Bearer ${token}`, seconds };
}

const answer = z.object({
  token: z.string().optional(),
  access_token: z.string().optional(),
  expires_in: z.number().optional().catch(undefined),
});

/** The token of an answer, for as long as it says; none where it is not one. */
function tokenIn(bytes: Buffer): { readonly token: string | undefined; readonly seconds: number } {
  try {
    const { token, access_token, expires_in = 60 } = answer.parse(JSON.parse(bytes.toString('utf8')));
    return { token: token ?? access_token, seconds: expires_in };
  } catch {
    return { token: undefined, seconds: 0 };
  }
}
