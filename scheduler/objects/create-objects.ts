import type { IncomingHttpHeaders } from 'node:http';
import { AwsError, type WebRoute, type WebService } from '@slipway/auth/contract';

import { notServed, refusal } from './errors.ts';
import type { ObjectsOptions } from './ports.ts';
import { renderError } from './render-error.ts';
import { operationOf, samples } from './routes.ts';
import { apiOf, type Asked, findOnce } from './scene.ts';

/** Buckets and objects, as S3 has them: REST and XML, path style, or a bucket's name before `.s3.localhost`. */
export function createObjects(options: ObjectsOptions): WebService {
  const api = apiOf(options);
  return {
    name: 's3',
    prefix: '/',
    authentication: { objects: 's3' },
    samples,
    route: (method, path, query, headers = {}) => {
      const place = placeOf(path, headers);
      if (place instanceof AwsError) return refused(place);
      const { bucket, key } = place;
      const asked: Asked = { api, findBucket: findOnce(api), bucket, key, query, headers };
      const level = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
      const operation = operationOf(method, level, query, headers['x-amz-copy-source'] !== undefined);
      if (typeof operation === 'string')
        return refused(notServed(`The request '${operation}'`, 'see the table of operations of scheduler/objects.'));
      const { name, access, handle } = operation;
      return {
        name,
        access: access === 'authenticated' ? access : async (call) => access(asked, call),
        handle: async (ctx, call, body) => {
          if (body === undefined) throw new Error('requests for objects come with their bodies');
          ctx.set('x-amz-request-id', call.requestId);
          await handle({ ...asked, ctx, call, body });
        },
      };
    },
    renderError,
  };
}

/** A route for what cannot be served: whoever proved who they are learns why. */
const refused = (error: AwsError): WebRoute => ({
  name: 'not served',
  access: 'authenticated',
  handle: () => Promise.reject(error),
});

/** The bucket and the key that a request names. */
function placeOf(path: string, { host }: IncomingHttpHeaders): { bucket: string; key: string } | AwsError {
  // Names below localhost need no DNS server; buckets have three characters and more, so that `s3.localhost` is none.
  const [, before] = /^([a-z0-9.-]{3,63}?)\.(?:s3\.)?localhost(?::\d+)?$/i.exec(host ?? '') ?? [];
  const names = before === undefined ? path.slice(1) : `${before.toLowerCase()}/${path.slice(1)}`;
  try {
    const text = decodeURIComponent(names);
    const at = text.indexOf('/');
    return at === -1 ? { bucket: text, key: '' } : { bucket: text.slice(0, at), key: text.slice(at + 1) };
  } catch {
    return refusal(400, 'InvalidURI', "Couldn't parse the specified URI.");
  }
}
