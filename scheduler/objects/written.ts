import { createHash } from 'node:crypto';

import { invalidArgument } from './errors.ts';
import type { Written } from './xml.ts';

/** An account as S3 names owners: 64 hexadecimal digits, always the same for one account. */
export const ownerOf = (account: string): Written => ({
  ID: createHash('sha256').update(`owner ${account}`).digest('hex'),
  DisplayName: account,
});

/** How a list writes names: with `encoding-type=url` as a path has them, since XML cannot say them all. @throws InvalidArgument */
export function encodedNames(query: URLSearchParams): (name: string) => string {
  const type = query.get('encoding-type') ?? '';
  if (type !== '' && type !== 'url') throw invalidArgument('Invalid Encoding Method specified in Request');
  if (type === '') return (name) => name;
  return (name) =>
    encodeURIComponent(name)
      .replaceAll('%2F', '/')
      .replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
