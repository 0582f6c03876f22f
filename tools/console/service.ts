import { type Answer, renderPlainError, type WebRoute, type WebService } from '@slipway/auth/contract';
import type { IncomingMessage } from 'node:http';
import { type Asset, buildConsole, type ConsoleBuild } from './build.ts';

/**
 * What the page may do: run its own script, and speak with this server. Nothing inline, nothing from elsewhere, no text becomes markup
 * (Trusted Types without a policy), and it is never inside another page.
 */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ');

const guards: readonly string[] = Object.entries({
  'Content-Security-Policy': contentSecurityPolicy,
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Permissions-Policy': 'camera=(), microphone=(), geolocation=(), payment=()',
  Vary: 'Accept-Encoding',
}).flat();

/**
 * `GET /console/` and what the page loads. Open to everybody: nothing of the installation is in it; what it shows, it asks for with the
 * rights of whoever has signed in. Built when it is first opened.
 */
export function consoleService(build: () => Promise<ConsoleBuild> = buildConsole): WebService {
  let built: Promise<ConsoleBuild> | undefined;
  const current = (): Promise<ConsoleBuild> =>
    (built ??= build()
      // The agent's program may be made at the same time, and ends the bundler when it is.
      .catch(build)
      .catch((error: unknown) => {
        built = undefined;
        throw error;
      }));
  const respond = async (request: IncomingMessage, answer: Answer): Promise<void> => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    // What the page names is relative to its folder, and so is the cookie.
    if (path === '/console') return answer(308, ['Location', '/console/', 'Content-Length', '0']);
    const { page, digest, assets } = await current();
    if (path === '/console/') {
      const caching = ['Cache-Control', 'no-cache', 'ETag', `"${digest}"`];
      if (request.headers['if-none-match'] === `"${digest}"`) return answer(304, [...guards, ...caching]);
      return give(request, answer, page, caching);
    }
    const asset = assets.get(path.slice('/console/assets/'.length));
    if (asset === undefined) return answer(404, [...guards, 'Content-Length', '0']);
    return give(request, answer, asset, ['Cache-Control', 'public, max-age=31536000, immutable']);
  };
  return {
    name: 'console',
    prefix: '/console/',
    authentication: 'none',
    ownNamesOnly: true,
    samples: [{ method: 'GET', path: '/console/' }],
    route(method, path): WebRoute | undefined {
      const ours = path === '/console' || path === '/console/' || /^\/console\/assets\/[\w.-]+$/.test(path);
      if (!ours || (method !== 'GET' && method !== 'HEAD')) return undefined;
      return { name: 'GET console', access: 'anonymous', respond };
    },
    renderError: renderPlainError,
  };
}

/** Sends what the client can unpack. */
function give(request: IncomingMessage, answer: Answer, asset: Asset, caching: readonly string[]): void {
  const encoding = acceptedEncoding(request);
  const body = encoding === undefined ? asset.plain : asset[encoding];
  const packing = encoding === undefined ? [] : ['Content-Encoding', encoding];
  const described = ['Content-Type', asset.type, 'Content-Length', String(body.byteLength)];
  answer(200, [...guards, ...caching, ...described, ...packing], body);
}

/** The best way that the client can unpack; undefined for none, also where it says so by a weight of zero. */
function acceptedEncoding({
  headers: { 'accept-encoding': accepted = '' },
}: IncomingMessage): 'br' | 'gzip' | undefined {
  const wanted = String(accepted)
    .split(',')
    .map((one) => one.replaceAll(' ', ''))
    .filter((one) => !/;q=0(?:\.0*)?$/.test(one))
    .map((one) => one.split(';', 1)[0]);
  return (['br', 'gzip'] as const).find((one) => wanted.includes(one));
}
