import type { Call } from '@slipway/auth/contract';

import { accessDenied, refusal } from './errors.ts';
import type { ObjectsOptions } from './ports.ts';
import { objectOf } from './read-objects.ts';
import { apiOf, findOnce, mayAlso } from './scene.ts';
import { Content } from './store/index.ts';

/**
 * Reads small objects for what the server does in somebody's name.
 * @throws AwsError in the words of S3: AccessDenied, NoSuchBucket, NoSuchKey, and `EntityTooLarge` for more bytes than are wanted
 */
export type ReadFile = (
  call: Call,
  place: { readonly bucket: string; readonly key: string },
  most: number,
) => Promise<string>;

export function createFileReader(options: ObjectsOptions): ReadFile {
  const api = apiOf(options);
  return async (call, { bucket, key }, most) => {
    const asked = { api, findBucket: findOnce(api), call, bucket, key, query: new URLSearchParams(), headers: {} };
    if (!(await mayAlso(asked, 'GetObject', bucket, key))) throw accessDenied();
    const object = await objectOf(asked);
    if (object.size > most)
      throw refusal(400, 'EntityTooLarge', `The object has ${object.size} bytes: at most ${most} are read.`);
    const chunks: Uint8Array[] = [];
    const content = new Content(options, api.uploads, bucket, object);
    for await (const bytes of content.stream({ start: 0, end: object.size - 1 })) chunks.push(bytes);
    return Buffer.concat(chunks).toString('utf8');
  };
}
