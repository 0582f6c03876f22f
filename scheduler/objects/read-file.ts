import type { Call } from '@slipway/auth/contract';

import { accessDenied, noSuchBucket, noSuchKey, refusal } from './errors.ts';
import type { ObjectsOptions } from './ports.ts';
import { apiOf, resourceOf } from './scene.ts';
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
    const may = async (action: string, of?: string): Promise<boolean> => {
      const access = { action: `s3:${action}`, resources: [await resourceOf(api, call.principal, bucket, of)] };
      return (await options.authorizer.authorize(call.principal, access, call)).allowed;
    };
    if (!(await may('GetObject', key))) throw accessDenied();
    if ((await api.buckets.find(bucket)) === undefined) throw noSuchBucket();
    const object = await api.objects.find(bucket, key);
    if (object === undefined) throw (await may('ListBucket')) ? noSuchKey() : accessDenied();
    if (object.size > most)
      throw refusal(400, 'EntityTooLarge', `The object has ${object.size} bytes: at most ${most} are read.`);
    const chunks: Uint8Array[] = [];
    const content = new Content(options, api.uploads, bucket, object);
    for await (const bytes of content.stream({ start: 0, end: object.size - 1 })) chunks.push(bytes);
    return Buffer.concat(chunks).toString('utf8');
  };
}
