import { createHash } from 'node:crypto';
import type { StreamedBody } from '@slipway/auth/contract';

import { type Algorithm, checksumHeader, summing } from '../checksums.ts';
import { refusal } from '../errors.ts';
import type { StorePorts } from './ports.ts';
import type { StoredBlob } from './records.ts';

/** What a body must be. */
export interface Expectation {
  /** Bytes that it may have. */
  readonly most: number;
  /** Base64. */
  readonly md5?: string;
  /** `value`: base64; undefined when it comes behind the body, or is only to be worked out (`given: false`). */
  readonly checksum?: { readonly algorithm: Algorithm; readonly value?: string; readonly given: boolean };
}

export interface Received {
  readonly blob?: StoredBlob;
  readonly size: number;
  readonly md5: Buffer;
  /** Base64. */
  readonly checksum?: string;
}

/**
 * Takes a body into a blob as it comes, with everything that is worked out of it in the same pass. Nothing refers to the blob yet.
 * @throws AwsError when it is not what it must be, and what the body throws; then nothing is left of it
 */
export async function receive(
  { blobs }: Pick<StorePorts, 'blobs'>,
  body: StreamedBody,
  expected: Expectation,
  signal: AbortSignal,
): Promise<Received> {
  const { length } = body;
  if (length === undefined)
    throw refusal(411, 'MissingContentLength', 'You must provide the Content-Length HTTP header.');
  if (length > expected.most)
    throw refusal(
      400,
      'EntityTooLarge',
      `Your proposed upload exceeds the maximum allowed size: ${expected.most} bytes`,
    );
  const md5 = createHash('md5');
  const sha256 = body.sha256 === undefined ? createHash('sha256') : undefined;
  const sum = expected.checksum && summing(expected.checksum.algorithm);
  let size = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const bytes of body.bytes) {
      size += bytes.byteLength;
      if (size > (length as number)) throw incomplete();
      md5.update(bytes);
      sha256?.update(bytes);
      sum?.update(bytes);
      yield bytes;
    }
    if (size !== length) throw incomplete();
  }
  const judged = (): Received => {
    const digest = md5.digest();
    if (expected.md5 !== undefined && !Buffer.from(expected.md5, 'base64').equals(digest))
      throw refusal(400, 'BadDigest', 'The Content-MD5 you specified did not match what we received.');
    const checksum = sum?.digest().toString('base64');
    if (expected.checksum?.given === true) checkSum(expected.checksum, body, checksum);
    return { size, md5: digest, ...(checksum === undefined ? {} : { checksum }) };
  };
  if (length === 0) {
    for await (const _ of counted());
    return judged();
  }
  const { staged, cut } = await blobs.append(await blobs.stage(), counted(), signal);
  try {
    if (cut !== undefined) throw cut;
    const received = judged();
    const digest = `sha256:${body.sha256 ?? (sha256?.digest('hex') as string)}` as const;
    const sealed = await blobs.seal(staged, digest, { quiet: true });
    return { ...received, blob: { digest, generation: sealed.generation, size } };
  } catch (error) {
    await blobs.abandon(staged);
    throw error;
  }
}

function checkSum(
  { algorithm, value }: NonNullable<Expectation['checksum']>,
  { trailers }: StreamedBody,
  actual: string | undefined,
): void {
  const name = checksumHeader(algorithm);
  const given = value ?? trailers.get(name);
  if (given === undefined) throw refusal(400, 'MalformedTrailerError', `The trailer ${name} did not come.`);
  if (given !== actual)
    throw refusal(400, 'BadDigest', `The ${algorithm} you specified did not match the calculated checksum.`);
}

const incomplete = () =>
  refusal(400, 'IncompleteBody', 'You did not provide the number of bytes specified by the Content-Length HTTP header');
