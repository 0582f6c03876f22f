import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { HeaderValues } from './canonical.ts';
import { ChunkLines } from './chunk-lines.ts';
import { MISMATCH, SignatureError } from './errors.ts';
import type { Claim } from './parse.ts';

/** How the signature of a request to an object store covers its body. */
export type ObjectPayload =
  | { readonly kind: 'whole'; readonly sha256: string }
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'chunks'; readonly trailers: boolean; readonly signing: ChunkSigning | undefined };

/** What signs the chunks of a body, each over the one before it. */
interface ChunkSigning {
  readonly key: Buffer;
  readonly datetime: string;
  readonly scope: string;
  /** The signature of the request's head. */
  readonly seed: string;
}

interface Declared {
  /** As the canonical request has it. */
  readonly text: string;
  readonly payload: (key: Buffer) => ObjectPayload;
}

/** What a request says of its body; undefined when that is nothing known. A presigned request that says nothing leaves it unsigned. */
export function objectPayload(request: {
  readonly claim: Claim;
  readonly headers: HeaderValues;
  readonly query: string;
}): Declared | undefined {
  const { claim, headers, query } = request;
  const values = headers.get('x-amz-content-sha256');
  const inQuery = claim.kind === 'presigned' ? new URLSearchParams(query).get('X-Amz-Content-Sha256') : null;
  const text = values === undefined ? (inQuery ?? (claim.kind === 'presigned' ? 'UNSIGNED-PAYLOAD' : '')) : one(values);
  if (/^[0-9a-f]{64}$/.test(text)) return { text, payload: () => ({ kind: 'whole', sha256: text }) };
  if (text === 'UNSIGNED-PAYLOAD') return { text, payload: () => ({ kind: 'unsigned' }) };
  // Chunks are signed over the head's signature, which only a header carries.
  if (claim.kind === 'presigned') return undefined;
  const { date, region, service } = claim.scope;
  const signing = (key: Buffer): ChunkSigning => ({
    key,
    datetime: claim.datetime,
    scope: `${date}/${region}/${service}/aws4_request`,
    seed: claim.signature,
  });
  switch (text) {
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD':
      return { text, payload: (key) => ({ kind: 'chunks', trailers: false, signing: signing(key) }) };
    case 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER':
      return { text, payload: (key) => ({ kind: 'chunks', trailers: true, signing: signing(key) }) };
    case 'STREAMING-UNSIGNED-PAYLOAD-TRAILER':
      return { text, payload: () => ({ kind: 'chunks', trailers: true, signing: undefined }) };
    default:
      return undefined;
  }
}

const one = (values: readonly string[]): string => (values.length === 1 ? (values[0] as string).trim() : '');

/** A body as it is read: the bytes that were meant, and what followed them. */
export interface ObjectBody {
  /** Fails at the latest at its end when the bytes are not those that were signed: nothing may be kept before. To be read once. */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Trailing headers by lower-case name; there when the bytes have ended. */
  readonly trailers: ReadonlyMap<string, string>;
}

/**
 * Reads a body as its payload says, with nothing held but the head of a chunk.
 * @param length of the bytes that are meant (`x-amz-decoded-content-length`); undefined where it is not declared
 */
export function readObject(
  body: AsyncIterable<Uint8Array>,
  payload: ObjectPayload,
  length: number | undefined,
): ObjectBody {
  const trailers = new Map<string, string>();
  if (payload.kind === 'unsigned') return { bytes: body, trailers };
  if (payload.kind === 'whole') return { bytes: whole(body, payload.sha256), trailers };
  return { bytes: chunks(body, payload, length, trailers), trailers };
}

async function* whole(body: AsyncIterable<Uint8Array>, sha256: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const bytes of body) {
    hash.update(bytes);
    yield bytes;
  }
  if (hash.digest('hex') !== sha256)
    throw new SignatureError(
      'altered-body',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
}

const EMPTY = createHash('sha256').digest('hex');

/** `aws-chunked` (S3 API reference, "Transferring Payload in Multiple Chunks"): sizes and signatures, then bytes, then trailers. */
async function* chunks(
  body: AsyncIterable<Uint8Array>,
  payload: Extract<ObjectPayload, { kind: 'chunks' }>,
  length: number | undefined,
  trailers: Map<string, string>,
): AsyncGenerator<Uint8Array> {
  const lines = new ChunkLines(body);
  try {
    yield* read(lines, payload, length, trailers);
  } finally {
    await lines.close();
  }
}

async function* read(
  lines: ChunkLines,
  { signing, trailers: hasTrailers }: Extract<ObjectPayload, { kind: 'chunks' }>,
  length: number | undefined,
  trailers: Map<string, string>,
): AsyncGenerator<Uint8Array> {
  let before = signing?.seed ?? '';
  let total = 0;
  const prove = (signature: string | undefined, kind: string, hashed: string): void => {
    if (signing === undefined) return;
    const text = `AWS4-HMAC-SHA256-${kind}\n${signing.datetime}\n${signing.scope}\n${before}\n${hashed}`;
    const right = createHmac('sha256', signing.key).update(text).digest();
    if (
      signature === undefined ||
      !/^[0-9a-f]{64}$/.test(signature) ||
      !timingSafeEqual(right, Buffer.from(signature, 'hex'))
    )
      throw new SignatureError('mismatch', MISMATCH, 'a chunk has another signature');
    before = signature;
  };
  for (;;) {
    const [, digits, signature] =
      /^([0-9a-fA-F]{1,10})(?:;chunk-signature=([0-9a-f]{64}))?$/.exec(await lines.line()) ?? [];
    if (digits === undefined) throw malformed('a chunk begins with its size in hexadecimal digits');
    const size = parseInt(digits, 16);
    total += size;
    if (length !== undefined && total > length) throw malformed('there are more bytes than were declared');
    const hash = signing && size > 0 ? createHash('sha256') : undefined;
    for await (const bytes of lines.bytes(size)) {
      hash?.update(bytes);
      yield bytes;
    }
    prove(signature, 'PAYLOAD', `${EMPTY}\n${hash?.digest('hex') ?? EMPTY}`);
    if (size === 0) break;
    if ((await lines.line()) !== '') throw malformed('a chunk is longer than it says');
  }
  if (length !== undefined && total !== length) throw malformed('there are fewer bytes than were declared');
  let signed = '';
  let trailerSignature: string | undefined;
  for (let line = await lines.line(); line !== ''; line = await lines.line()) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).toLowerCase();
    const value = line.slice(at + 1).trim();
    if (at < 1 || !hasTrailers || trailerSignature !== undefined || trailers.size >= 16)
      throw malformed('there is something behind the last chunk');
    if (name === 'x-amz-trailer-signature') trailerSignature = value;
    else {
      trailers.set(name, value);
      signed += `${name}:${value}\n`;
    }
  }
  if (hasTrailers && (trailers.size > 0 || trailerSignature !== undefined))
    prove(trailerSignature, 'TRAILER', createHash('sha256').update(signed).digest('hex'));
  await lines.end();
}

const malformed = (detail: string): SignatureError =>
  new SignatureError('malformed-body', `The aws-chunked body is not well-formed: ${detail}.`);
