import type { IncomingHttpHeaders } from 'node:http';

import { type Algorithm, algorithms, checksumHeader } from './checksums.ts';
import { invalidArgument, invalidRequest, notServed, refusal } from './errors.ts';
import type { Described, Expectation, PutConditions } from './store/index.ts';
import { tagsOfQuery } from './tags.ts';

const kept = ['cache-control', 'content-disposition', 'content-encoding', 'content-language', 'expires'] as const;
const mostMetadata = 2048;

/** What a request says of the object that it brings. @throws what is said when it asks for something that nothing here acts on */
export function describedBy(headers: IncomingHttpHeaders): Described {
  refuseUnserved(headers);
  const given: Record<string, string> = { 'content-type': headers['content-type'] ?? 'binary/octet-stream' };
  for (const name of kept) {
    const value = headers[name];
    if (typeof value === 'string') given[name] = value;
  }
  // How the body was sent is not what it is.
  const encodings = given['content-encoding']?.split(',').map((one) => one.trim());
  if (encodings !== undefined) {
    const own = encodings.filter((one) => one !== 'aws-chunked' && one !== '').join(',');
    if (own === '') delete given['content-encoding'];
    else given['content-encoding'] = own;
  }
  const metadata: [string, string][] = [];
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith('x-amz-meta-') || typeof value !== 'string') continue;
    const own = name.slice('x-amz-meta-'.length);
    bytes += own.length + value.length;
    metadata.push([own, value]);
  }
  if (bytes > mostMetadata)
    throw refusal(400, 'MetadataTooLarge', 'Your metadata headers exceed the maximum allowed metadata size');
  const tagging = headers['x-amz-tagging'];
  return {
    headers: given,
    metadata: Object.fromEntries(metadata),
    tags: typeof tagging === 'string' ? tagsOfQuery(tagging) : {},
  };
}

/** @throws NotImplemented, AccessControlListNotSupported for what nothing here acts on */
export function refuseUnserved(headers: IncomingHttpHeaders): void {
  const storage = headers['x-amz-storage-class'];
  if (storage !== undefined && storage !== 'STANDARD')
    throw notServed(`The storage class ${String(storage)}`, 'leave x-amz-storage-class out, or use STANDARD.');
  for (const name of Object.keys(headers)) {
    if (name.startsWith('x-amz-server-side-encryption') || name.startsWith('x-amz-copy-source-server-side'))
      throw notServed('Server-side encryption', 'leave it out, and encrypt the disks that the blob store lies on.');
    if (name.startsWith('x-amz-object-lock-')) throw notServed('Object Lock', 'leave it out.');
    if (name === 'x-amz-website-redirect-location') throw notServed('Website hosting', 'leave the redirect out.');
    if (name.startsWith('x-amz-grant-')) throw noAcls();
  }
  const acl = headers['x-amz-acl'];
  if (acl !== undefined && acl !== 'private' && acl !== 'bucket-owner-full-control') throw noAcls();
}

export const noAcls = () => refusal(400, 'AccessControlListNotSupported', 'The bucket does not allow ACLs');

/** What the bytes that a request brings must be. @throws InvalidDigest, InvalidRequest */
export function expectationOf(headers: IncomingHttpHeaders, most: number, algorithm?: Algorithm): Expectation {
  const md5 = headers['content-md5'];
  if (md5 !== undefined && (typeof md5 !== 'string' || !/^[A-Za-z0-9+/]{22}==$/.test(md5)))
    throw refusal(400, 'InvalidDigest', 'The Content-MD5 you specified was invalid');
  const checksum = checksumOf(headers);
  if (algorithm !== undefined && checksum !== undefined && checksum.algorithm !== algorithm)
    throw invalidRequest(
      `Checksum Type mismatch occurred, expected checksum Type: ${algorithm.toLowerCase()}, actual checksum Type: ${checksum.algorithm.toLowerCase()}`,
    );
  const sum = checksum ?? (algorithm === undefined ? undefined : { algorithm, given: false });
  return {
    most,
    ...(md5 === undefined ? {} : { md5: md5 as string }),
    ...(sum === undefined ? {} : { checksum: sum }),
  };
}

/** The checksum that a request carries before its body or behind it. */
function checksumOf(headers: IncomingHttpHeaders): Expectation['checksum'] {
  const before = algorithms.filter((one) => headers[checksumHeader(one)] !== undefined);
  const trailer = headers['x-amz-trailer'];
  const names = typeof trailer === 'string' ? trailer.split(',').map((name) => name.trim().toLowerCase()) : [];
  const behind = algorithms.filter((one) => names.includes(checksumHeader(one)));
  const [algorithm, more] = [...before, ...behind];
  if (more !== undefined)
    throw invalidRequest('Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.');
  if (algorithm === undefined) return undefined;
  const value = headers[checksumHeader(algorithm)];
  return { algorithm, given: true, ...(typeof value === 'string' ? { value } : {}) };
}

/** The algorithm that a request names. @throws InvalidRequest */
export function algorithmOf(name: unknown): Algorithm | undefined {
  if (name === undefined) return undefined;
  const known = algorithms.find((one) => one === name);
  if (known === undefined)
    throw invalidRequest(
      `Checksum algorithm provided is unsupported. Please try again with any of the valid types: [${algorithms.join(', ')}]`,
    );
  return known;
}

/** @throws NotImplemented, InvalidArgument */
export function conditionsOf(headers: IncomingHttpHeaders): PutConditions {
  const ifNone = headers['if-none-match'];
  if (ifNone !== undefined && ifNone !== '*')
    throw notServed('If-None-Match of a write with an ETag', "use '*', which writes when there is no object.");
  const ifMatch = headers['if-match'];
  if (ifMatch === '') throw invalidArgument('If-Match is empty.');
  return { ifAbsent: ifNone === '*', ifMatch: ifMatch === undefined ? undefined : unquoted(ifMatch) };
}

export const unquoted = (etag: string): string => etag.trim().replace(/^"(.*)"$/, '$1');

export const quoted = (etag: string): string => `"${etag}"`;
