import { createHash } from 'node:crypto';

/** The parts of a request as they came over the wire, before anything decoded them. */
export interface RawRequest {
  readonly method: string;
  /** The request target: path and query as received (bytes as latin1, as node:http gives them). */
  readonly target: string;
  /** Names and values in turn, as `IncomingMessage.rawHeaders`. */
  readonly rawHeaders: readonly string[];
}

/** Headers by lower-case name; several values of one name are kept apart, in the order received. */
export type HeaderValues = ReadonlyMap<string, readonly string[]>;

export function headerValues(rawHeaders: readonly string[]): HeaderValues {
  const headers = new Map<string, string[]>();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase();
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [rawHeaders[i + 1] as string]);
    else values.push(rawHeaders[i + 1] as string);
  }
  return headers;
}

/**
 * The canonical request of Signature Version 4 (IAM User Guide, "Create a canonical request").
 * @param path as every service but S3 has it: normalised, and encoded once more than it already is
 * @param query raw query text; `X-Amz-Signature` is left out of it
 * @param pathOf `objectPath` for S3
 * @returns undefined when a signed header is not there
 */
export function canonicalRequest(
  method: string,
  path: string,
  query: string,
  headers: HeaderValues,
  signedHeaders: readonly string[],
  payloadHash: string,
  pathOf: (path: string) => string = canonicalPath,
): string | undefined {
  let lines = '';
  for (const name of signedHeaders) {
    const values = headers.get(name);
    if (values === undefined) return undefined;
    lines += `${name}:${values.map(folded).join(',')}\n`;
  }
  return `${method}\n${pathOf(path)}\n${canonicalQuery(query)}\n${lines}\n${signedHeaders.join(';')}\n${payloadHash}`;
}

/** The second input of the signature: the scope and the hash of the canonical request. */
export function stringToSign(datetime: string, scope: string, canonical: string): string {
  const hash = createHash('sha256').update(canonical, 'latin1').digest('hex');
  return `AWS4-HMAC-SHA256\n${datetime}\n${scope}\n${hash}`;
}

/** Outer spaces go, inner runs become one. */
const folded = (value: string): string => value.trim().replace(/[ \t\r\n]+/g, ' ');

export function canonicalPath(path: string): string {
  if (path === '/' || path === '') return '/';
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(encodeBytes(segment));
  }
  const end = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${end}`;
}

/** The path as S3 has it: each byte encoded once, however the client wrote it, and nothing normalised, since keys may hold `..` and `//`. */
export const objectPath = (path: string): string =>
  path
    .split('/')
    .map((segment) => encodeBytes(unescapeBytes(segment)))
    .join('/') || '/';

/**
 * Parameters decoded and encoded again, sorted by encoded name and then value. `+` is a space: Go's clients send it so
 * and sign `%20`.
 */
export function canonicalQuery(query: string): string {
  if (query === '') return '';
  const parameters: (readonly [string, string])[] = [];
  for (const part of query.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = encodeBytes(decodeBytes(at === -1 ? part : part.slice(0, at)));
    if (name === 'X-Amz-Signature') continue;
    parameters.push([name, at === -1 ? '' : encodeBytes(decodeBytes(part.slice(at + 1)))]);
  }
  parameters.sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]));
  return parameters.map(([name, value]) => `${name}=${value}`).join('&');
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Percent-decoding to bytes (latin1); an escape that is none stays as it is, as URLSearchParams reads it. */
const decodeBytes = (text: string): string => unescapeBytes(text.replaceAll('+', ' '));

const unescapeBytes = (text: string): string =>
  text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

/** RFC 3986 encoding of every byte but the unreserved ones. */
const encodeBytes = (text: string): string =>
  text.replace(/[^A-Za-z0-9\-._~]/g, (byte) => ESCAPES[byte.charCodeAt(0) & 0xff] as string);

const ESCAPES = Array.from({ length: 256 }, (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`);
