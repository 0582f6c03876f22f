import type { HeaderValues } from './canonical.ts';
import { SignatureError } from './errors.ts';

/** What a signed request claims about itself. */
export interface Claim {
  readonly kind: 'header' | 'presigned';
  readonly accessKeyId: string;
  readonly scope: { readonly date: string; readonly region: string; readonly service: string };
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** `YYYYMMDDTHHMMSSZ` as given, and in milliseconds since the epoch. */
  readonly datetime: string;
  readonly time: number;
  readonly sessionToken: string | undefined;
  /** Seconds a presigned request stays valid; undefined: as long as one that is signed in its header. */
  readonly expires: number | undefined;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const MAX_EXPIRES = 604_800;

/**
 * Reads who claims to have signed, and how; nothing is verified yet.
 * @throws SignatureError `missing` without credentials, `incomplete` when they cannot be read
 */
export function parseClaim(headers: HeaderValues, query: string): Claim {
  const authorization = headers.get('authorization');
  // Only decoded names can tell: `X%2DAmz-Signature` is the same parameter to everyone who reads it later.
  const parameters = query.includes('Amz') || query.includes('%') ? new URLSearchParams(query) : undefined;
  const presigned = parameters !== undefined && signingNames.some((name) => parameters.has(name));
  if (authorization === undefined && !presigned) throw new SignatureError('missing', 'Missing Authentication Token');
  if (authorization !== undefined && presigned) {
    throw incomplete('Credentials must be in the Authorization header or in the query, not in both');
  }
  return presigned && parameters !== undefined
    ? fromQuery(parameters, headers)
    : fromHeader(authorization ?? [], headers);
}

const signingNames = ['X-Amz-Algorithm', 'X-Amz-Credential', 'X-Amz-Signature', 'X-Amz-SignedHeaders'] as const;

function fromHeader(authorization: readonly string[], headers: HeaderValues): Claim {
  const text = authorization.length === 1 ? (authorization[0] as string) : undefined;
  if (text === undefined) throw incomplete('There must be one Authorization header');
  if (!text.startsWith(`${ALGORITHM} `)) throw incomplete(`The Authorization header must start with '${ALGORITHM}'`);
  const fields = new Map<string, string>();
  for (const field of text.slice(ALGORITHM.length + 1).split(',')) {
    const at = field.indexOf('=');
    const name = field.slice(0, at === -1 ? undefined : at).trim();
    if (at === -1 || fields.has(name) || !headerFields.has(name)) {
      throw incomplete('The Authorization header must hold Credential, SignedHeaders and Signature, once each');
    }
    fields.set(name, field.slice(at + 1).trim());
  }
  for (const name of headerFields) {
    if (!fields.has(name)) throw incomplete(`Authorization header requires '${name}' parameter`);
  }
  const datetime = single(headers, 'x-amz-date');
  if (datetime === undefined) throw incomplete("Authorization header requires existence of a 'X-Amz-Date' header");
  return {
    kind: 'header',
    ...parseCredential(fields.get('Credential') as string),
    signedHeaders: parseSignedHeaders(fields.get('SignedHeaders') as string),
    signature: parseSignature(fields.get('Signature') as string),
    ...parseDate(datetime),
    sessionToken: single(headers, 'x-amz-security-token'),
    expires: undefined,
  };
}

const headerFields = new Set(['Credential', 'SignedHeaders', 'Signature']);

function fromQuery(parameters: URLSearchParams, headers: HeaderValues): Claim {
  const one = (name: string): string => {
    const values = parameters.getAll(name);
    if (values.length !== 1) throw incomplete(`The query must hold '${name}' exactly once`);
    return values[0] as string;
  };
  if (one('X-Amz-Algorithm') !== ALGORITHM) throw incomplete(`X-Amz-Algorithm must be '${ALGORITHM}'`);
  if (headers.has('x-amz-security-token') || headers.has('x-amz-date')) {
    throw incomplete('Signing values must be in the query or in headers, not in both');
  }
  // Only S3 insists on it; the SDK for Go leaves it out elsewhere.
  const expires = parameters.has('X-Amz-Expires') ? one('X-Amz-Expires') : undefined;
  if (
    expires !== undefined &&
    !(/^[0-9]{1,6}$/.test(expires) && Number(expires) <= MAX_EXPIRES && Number(expires) >= 1)
  ) {
    throw incomplete(`X-Amz-Expires must be between 1 and ${MAX_EXPIRES} seconds`);
  }
  return {
    kind: 'presigned',
    ...parseCredential(one('X-Amz-Credential')),
    signedHeaders: parseSignedHeaders(one('X-Amz-SignedHeaders')),
    signature: parseSignature(one('X-Amz-Signature')),
    ...parseDate(one('X-Amz-Date')),
    sessionToken: parameters.has('X-Amz-Security-Token') ? one('X-Amz-Security-Token') : undefined,
    expires: expires === undefined ? undefined : Number(expires),
  };
}

/** `AKIA…/20260101/us-east-1/ecs/aws4_request` */
function parseCredential(text: string): Pick<Claim, 'accessKeyId' | 'scope'> {
  const [accessKeyId, date, region, service, terminator, rest] = text.split('/', 6);
  if (
    accessKeyId === undefined ||
    !/^\w{1,128}$/.test(accessKeyId) ||
    date === undefined ||
    !/^[0-9]{8}$/.test(date) ||
    region === undefined ||
    service === undefined ||
    terminator !== 'aws4_request' ||
    rest !== undefined
  ) {
    throw incomplete("Credential must be '<access key>/<date>/<region>/<service>/aws4_request'");
  }
  return { accessKeyId, scope: { date, region, service } };
}

function parseSignedHeaders(text: string): readonly string[] {
  const names = text.split(';');
  if (
    names.length > 100 ||
    new Set(names).size !== names.length ||
    !names.every((name) => /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
  ) {
    throw incomplete('SignedHeaders must be distinct lower-case header names, separated by semicolons');
  }
  return names;
}

function parseSignature(text: string): string {
  if (!/^[0-9a-f]{64}$/.test(text)) throw incomplete('Signature must be 64 hexadecimal digits');
  return text;
}

function parseDate(text: string): Pick<Claim, 'datetime' | 'time'> {
  const parts = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  const time =
    parts === null ? NaN : Date.parse(`${parts[1]}-${parts[2]}-${parts[3]}T${parts[4]}:${parts[5]}:${parts[6]}Z`);
  if (Number.isNaN(time)) throw incomplete("Date must be in ISO-8601 'basic format' (YYYYMMDD'T'HHMMSS'Z')");
  return { datetime: text, time };
}

function single(headers: HeaderValues, name: string): string | undefined {
  const values = headers.get(name);
  if (values === undefined) return undefined;
  if (values.length !== 1) throw incomplete(`There must be one ${name} header`);
  return (values[0] as string).trim();
}

const incomplete = (message: string): SignatureError => new SignatureError('incomplete', message);
