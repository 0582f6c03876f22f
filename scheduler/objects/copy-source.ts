import type { IncomingHttpHeaders } from 'node:http';

import { invalidArgument } from './errors.ts';
import { checkKey } from './names.ts';

/** What a copy is made of. */
export interface CopySource {
  readonly bucket: string;
  readonly key: string;
  /** With the version that is wanted, if any. */
  readonly query: URLSearchParams;
}

/** `/bucket/key?versionId=…`, with or without the first slash, percent-encoded. @throws InvalidArgument */
export function copySource(headers: IncomingHttpHeaders): CopySource {
  const given = headers['x-amz-copy-source'];
  const text = typeof given === 'string' ? given.replace(/^\//, '') : '';
  const at = text.indexOf('?versionId=');
  const [bucket = '', ...rest] = decoded(at === -1 ? text : text.slice(0, at)).split('/');
  const key = rest.join('/');
  if (bucket.startsWith('arn:') || bucket === '' || key === '')
    throw invalidArgument('Copy Source must mention the source bucket and key: sourcebucket/sourcekey');
  checkKey(key);
  return { bucket, key, query: new URLSearchParams(at === -1 ? '' : text.slice(at + 1)) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidArgument('Invalid copy source encoding.');
  }
}
