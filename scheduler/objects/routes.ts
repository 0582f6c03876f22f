import { bucketOperations } from './bucket-operations.ts';
import { configurationOperations } from './configuration.ts';
import { listOperations } from './list-operations.ts';
import { policyOperations } from './policy-operations.ts';
import { readOperations } from './read-objects.ts';
import type { ObjectOperation } from './scene.ts';
import { uploadOperations } from './upload-operations.ts';
import { writeOperations } from './write-objects.ts';

const operations = new Map(
  [
    bucketOperations,
    listOperations,
    policyOperations,
    configurationOperations,
    readOperations,
    writeOperations,
    uploadOperations,
  ]
    .flat()
    .map((one) => [one.name, one] as const),
);

/** What a request's path and query call: `<method> <level>`, and behind `?` the member of the query that says what of it. */
const routes: Readonly<Record<string, string>> = {
  __proto__: null as never,
  'GET service': 'ListBuckets',
  'PUT bucket': 'CreateBucket',
  'HEAD bucket': 'HeadBucket',
  'DELETE bucket': 'DeleteBucket',
  'GET bucket': 'ListObjects',
  'GET bucket?list-type': 'ListObjectsV2',
  'GET bucket?versions': 'ListObjectVersions',
  'GET bucket?location': 'GetBucketLocation',
  'GET bucket?uploads': 'ListMultipartUploads',
  'POST bucket?delete': 'DeleteObjects',
  'GET bucket?policy': 'GetBucketPolicy',
  'PUT bucket?policy': 'PutBucketPolicy',
  'DELETE bucket?policy': 'DeleteBucketPolicy',
  'GET bucket?policyStatus': 'GetBucketPolicyStatus',
  'GET bucket?tagging': 'GetBucketTagging',
  'PUT bucket?tagging': 'PutBucketTagging',
  'DELETE bucket?tagging': 'DeleteBucketTagging',
  'GET bucket?publicAccessBlock': 'GetPublicAccessBlock',
  'PUT bucket?publicAccessBlock': 'PutPublicAccessBlock',
  'DELETE bucket?publicAccessBlock': 'DeletePublicAccessBlock',
  'GET bucket?ownershipControls': 'GetBucketOwnershipControls',
  'PUT bucket?ownershipControls': 'PutBucketOwnershipControls',
  'DELETE bucket?ownershipControls': 'DeleteBucketOwnershipControls',
  'GET bucket?acl': 'GetBucketAcl',
  'PUT bucket?acl': 'PutBucketAcl',
  'GET bucket?cors': 'GetBucketCors',
  'PUT bucket?cors': 'PutBucketCors',
  'DELETE bucket?cors': 'DeleteBucketCors',
  'GET bucket?website': 'GetBucketWebsite',
  'PUT bucket?website': 'PutBucketWebsite',
  'DELETE bucket?website': 'DeleteBucketWebsite',
  'GET bucket?logging': 'GetBucketLogging',
  'PUT bucket?logging': 'PutBucketLogging',
  'GET bucket?lifecycle': 'GetBucketLifecycleConfiguration',
  'PUT bucket?lifecycle': 'PutBucketLifecycleConfiguration',
  'DELETE bucket?lifecycle': 'DeleteBucketLifecycle',
  'GET bucket?replication': 'GetBucketReplication',
  'PUT bucket?replication': 'PutBucketReplication',
  'DELETE bucket?replication': 'DeleteBucketReplication',
  'GET bucket?encryption': 'GetBucketEncryption',
  'PUT bucket?encryption': 'PutBucketEncryption',
  'DELETE bucket?encryption': 'DeleteBucketEncryption',
  'GET bucket?object-lock': 'GetObjectLockConfiguration',
  'PUT bucket?object-lock': 'PutObjectLockConfiguration',
  'GET bucket?accelerate': 'GetBucketAccelerateConfiguration',
  'PUT bucket?accelerate': 'PutBucketAccelerateConfiguration',
  'GET bucket?requestPayment': 'GetBucketRequestPayment',
  'PUT bucket?requestPayment': 'PutBucketRequestPayment',
  'GET bucket?versioning': 'GetBucketVersioning',
  'PUT bucket?versioning': 'PutBucketVersioning',
  'GET bucket?notification': 'GetBucketNotificationConfiguration',
  'PUT bucket?notification': 'PutBucketNotificationConfiguration',
  'GET object': 'GetObject',
  'HEAD object': 'HeadObject',
  'PUT object': 'PutObject',
  'PUT object?copy': 'CopyObject',
  'DELETE object': 'DeleteObject',
  'GET object?tagging': 'GetObjectTagging',
  'PUT object?tagging': 'PutObjectTagging',
  'DELETE object?tagging': 'DeleteObjectTagging',
  'GET object?acl': 'GetObjectAcl',
  'PUT object?acl': 'PutObjectAcl',
  'POST object?uploads': 'CreateMultipartUpload',
  'PUT object?uploadId': 'UploadPart',
  'PUT object?uploadId&copy': 'UploadPartCopy',
  'POST object?uploadId': 'CompleteMultipartUpload',
  'DELETE object?uploadId': 'AbortMultipartUpload',
  'GET object?uploadId': 'ListParts',
};

/** What S3 has of buckets and objects, and is not here. */
const absent = [
  'abac',
  'analytics',
  'append',
  'attributes',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'metadataConfiguration',
  'metadataTable',
  'metrics',
  'renameObject',
  'restore',
  'retention',
  'select',
  'session',
  'torrent',
];

/** Members of queries that say what of a bucket or an object is meant; the others are given to the operation. */
const meant = new Set(absent.concat(Object.keys(routes).flatMap((route) => route.split('?')[1]?.split('&')[0] ?? [])));

/** What may be called, for the page that says so. */
export const served: readonly string[] = [...operations.keys()].toSorted();

/** One request for each operation. */
export const samples = Object.keys(routes)
  .filter((route) => !route.endsWith('copy'))
  .map((route) => {
    const [method = '', level = '', member] = route.split(/[ ?]/);
    const path = { service: '/', bucket: '/a-bucket', object: '/a-bucket/a-key' }[level] ?? '/';
    return { method, path: member === undefined ? path : `${path}?${member}=1` };
  })
  .filter(({ path }) => path !== '/');

/**
 * The operation that a request calls; the name of what it asks for where that is not served.
 * @param isCopy whether it names what is to be copied
 */
export function operationOf(
  method: string,
  level: 'service' | 'bucket' | 'object',
  query: URLSearchParams,
  isCopy: boolean,
): ObjectOperation | string {
  const member = [...meant].find((name) => name !== 'copy' && query.has(name));
  const copies = method === 'PUT' && level === 'object' && isCopy;
  const what = [...(member === undefined ? [] : [member]), ...(copies ? ['copy'] : [])].join('&');
  const route = `${method} ${level}${what === '' ? '' : `?${what}`}`;
  return operations.get(routes[route] ?? '') ?? route;
}
