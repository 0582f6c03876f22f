import type { IncomingMessage } from 'node:http';
import { GatewayError } from '../contract/index.ts';

/** The page's proof that the session is its own; scripts of other origins can neither read it nor send the header. */
export const proofHeader = 'x-slipway-session';

/**
 * Refuses what no page of this very origin has sent. Browsers tell the origin of every POST and DELETE; forms cannot send JSON, and other
 * origins cannot set the header without being asked first, which is answered with nothing.
 * @param endpoint scheme and authority under which the client reached us
 * @throws GatewayError `denied`
 */
export function fromOwnPage({ headers, method }: IncomingMessage, endpoint: string): void {
  const { origin, host, 'sec-fetch-site': site } = headers;
  if (site !== undefined && site !== 'same-origin') throw notOurs('it came from another site');
  if (method === 'GET') return;
  const type = headers['content-type'] ?? '';
  if (!/^application\/(?:x-amz-json-1\.1|json)(?:$|;)/.test(type)) throw notOurs('it is not JSON');
  const said = origin === undefined ? undefined : URL.parse(origin);
  if (said === undefined || said === null || said.origin !== origin) throw notOurs('it does not say its origin');
  // Behind a proxy that nobody told us of, the scheme is not known; where it is known, it counts.
  const downgraded = said.protocol === 'http:' && endpoint.startsWith('https:');
  if (said.host !== withoutDefaultPort(host ?? '', said.protocol) || downgraded)
    throw notOurs('it came from another origin');
}

/** Browsers leave the port out of an origin where it is the scheme's own; `Host` may have it. */
const withoutDefaultPort = (host: string, protocol: string): string =>
  host.toLowerCase().replace(protocol === 'https:' ? /:443$/ : /:80$/, '');

const notOurs = (why: string): GatewayError =>
  new GatewayError('denied', `the request was not sent by a page of this server: ${why}`);

/**
 * The name of the cookie. Cookies of one host are shared by all its ports, so the port is part of the name: two installations on a machine
 * do not sign each other out.
 */
export function cookieName({ headers }: IncomingMessage, secure: boolean): string {
  const port = /:(\d{1,5})$/.exec(headers.host ?? '')?.[1] ?? '';
  return `${secure ? '__Secure-' : ''}slipway-console${port === '' ? '' : `-${port}`}`;
}

/** The value of a cookie; undefined where it is not there, or there more than once: then somebody else has set one too. */
export function cookieOf({ headers }: IncomingMessage, name: string): string | undefined {
  const values = (headers.cookie ?? '')
    .split(';')
    .map((one) => one.trim())
    .filter((one) => one.startsWith(`${name}=`))
    .map((one) => one.slice(name.length + 1));
  return values.length === 1 ? values[0] : undefined;
}
