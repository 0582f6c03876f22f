import { noAcls, refuseUnserved } from './described.ts';
import { malformedXml, notServed, refusal } from './errors.ts';
import { objectOf } from './read-objects.ts';
import { answerEmpty, answerXml, bucketOf, type ObjectOperation, onBucket, onObject, type Scene } from './scene.ts';
import { type Element, textOf, type Written } from './xml.ts';
import { ownerOf } from './written.ts';

/** What a bucket could be configured with and is not. */
interface Unset {
  /** The element of its document, and as operations name it. */
  readonly root: string;
  readonly name: string;
  /** The actions that read and write it. */
  readonly read: string;
  readonly write: string;
  /** What S3 says of a bucket that never had it: an error, or an answer that says so. */
  readonly answer: { readonly code: string; readonly message: string } | Written;
  /** Whether a document asks for what is so anyway. */
  readonly isDefault: (document: Element) => boolean;
  /** Whether there is an operation that removes it. */
  readonly removable: boolean;
  readonly instead: string;
}

const empty = ({ children }: Element): boolean => children.length === 0;
const never = (): boolean => false;
const missing = (code: string, message: string) => ({ code, message });

const unset: readonly Unset[] = [
  {
    root: 'CORSConfiguration',
    name: 'BucketCors',
    read: 'GetBucketCORS',
    write: 'PutBucketCORS',
    answer: missing('NoSuchCORSConfiguration', 'The CORS configuration does not exist'),
    isDefault: never,
    removable: true,
    instead: 'let a proxy add the headers that browsers ask for.',
  },
  {
    root: 'WebsiteConfiguration',
    name: 'BucketWebsite',
    read: 'GetBucketWebsite',
    write: 'PutBucketWebsite',
    answer: missing('NoSuchWebsiteConfiguration', 'The specified bucket does not have a website configuration'),
    isDefault: never,
    removable: true,
    instead: 'run a web server as a service.',
  },
  {
    root: 'BucketLoggingStatus',
    name: 'BucketLogging',
    read: 'GetBucketLogging',
    write: 'PutBucketLogging',
    answer: undefined,
    isDefault: empty,
    removable: false,
    instead: "read the server's audit log.",
  },
  {
    root: 'LifecycleConfiguration',
    name: 'BucketLifecycleConfiguration',
    read: 'GetLifecycleConfiguration',
    write: 'PutLifecycleConfiguration',
    answer: missing('NoSuchLifecycleConfiguration', 'The lifecycle configuration does not exist'),
    isDefault: never,
    removable: true,
    instead: 'remove objects by a scheduled task.',
  },
  {
    root: 'ReplicationConfiguration',
    name: 'BucketReplication',
    read: 'GetReplicationConfiguration',
    write: 'PutReplicationConfiguration',
    answer: missing('ReplicationConfigurationNotFoundError', 'The replication configuration was not found'),
    isDefault: never,
    removable: true,
    instead: 'use a blob store that is replicated.',
  },
  {
    root: 'ServerSideEncryptionConfiguration',
    name: 'BucketEncryption',
    read: 'GetEncryptionConfiguration',
    write: 'PutEncryptionConfiguration',
    answer: missing(
      'ServerSideEncryptionConfigurationNotFoundError',
      'The server side encryption configuration was not found',
    ),
    isDefault: never,
    removable: true,
    instead: 'encrypt the disks that the blob store lies on.',
  },
  {
    root: 'ObjectLockConfiguration',
    name: 'ObjectLockConfiguration',
    read: 'GetBucketObjectLockConfiguration',
    write: 'PutBucketObjectLockConfiguration',
    answer: missing('ObjectLockConfigurationNotFoundError', 'Object Lock configuration does not exist for this bucket'),
    isDefault: never,
    removable: false,
    instead: 'deny s3:DeleteObject in a bucket policy.',
  },
  {
    root: 'AccelerateConfiguration',
    name: 'BucketAccelerateConfiguration',
    read: 'GetAccelerateConfiguration',
    write: 'PutAccelerateConfiguration',
    answer: undefined,
    isDefault: (document) => textOf(document, 'Status') === 'Suspended',
    removable: false,
    instead: 'leave it out.',
  },
  {
    root: 'RequestPaymentConfiguration',
    name: 'BucketRequestPayment',
    read: 'GetBucketRequestPayment',
    write: 'PutBucketRequestPayment',
    answer: { Payer: 'BucketOwner' },
    isDefault: (document) => textOf(document, 'Payer') === 'BucketOwner',
    removable: false,
    instead: 'leave it out: nobody pays.',
  },
  {
    root: 'VersioningConfiguration',
    name: 'BucketVersioning',
    read: 'GetBucketVersioning',
    write: 'PutBucketVersioning',
    answer: undefined,
    isDefault: never,
    removable: false,
    instead: 'put each version under a key of its own.',
  },
  {
    root: 'NotificationConfiguration',
    name: 'BucketNotificationConfiguration',
    read: 'GetBucketNotification',
    write: 'PutBucketNotification',
    answer: undefined,
    isDefault: empty,
    removable: false,
    instead: 'tell whoever should know after the object was put.',
  },
];

/** Reads, writes and removals of what buckets are not configured with. What nothing would act on is refused. */
const unsetOperations: readonly ObjectOperation[] = unset.flatMap((one): readonly ObjectOperation[] => [
  {
    name: `Get${one.name}`,
    access: onBucket(one.read),
    handle: async (scene) => {
      await bucketOf(scene);
      const { answer, root } = one;
      if (isMissing(answer)) throw refusal(404, answer.code, answer.message);
      answerXml(scene, root, answer);
    },
  },
  {
    name: `Put${one.name}`,
    access: onBucket(one.write),
    handle: async (scene) => {
      await bucketOf(scene);
      const document = await scene.api.documents.readXml(scene, one.root, 256 * 1024);
      if (!one.isDefault(document)) throw notServed(one.root, one.instead);
      answerEmpty(scene, 200);
    },
  },
  ...(one.removable
    ? [
        {
          name: `Delete${one.name.replace('LifecycleConfiguration', 'Lifecycle')}`,
          access: onBucket(one.write),
          handle: async (scene: Scene) => {
            await bucketOf(scene);
            answerEmpty(scene);
          },
        },
      ]
    : []),
]);

const isMissing = (answer: Unset['answer']): answer is { readonly code: string; readonly message: string } =>
  typeof answer === 'object' && 'code' in answer;

const ownersAcl = (account: string): Written => ({
  Owner: ownerOf(account),
  AccessControlList: { Grant: [{ Grantee: ownerOf(account), Permission: 'FULL_CONTROL' }] },
});

async function putAcl(scene: Scene): Promise<void> {
  // The canned ones that say what is so anyway.
  refuseUnserved(scene.headers);
  if (scene.headers['x-amz-acl'] === undefined) throw noAcls();
  answerEmpty(scene, 200);
}

/** ACLs are not served: what they say is that the owner has everything, and policies say the rest. */
const aclOperations: readonly ObjectOperation[] = [
  {
    name: 'GetBucketAcl',
    access: onBucket('GetBucketAcl'),
    handle: async (scene) => answerAcl(scene, (await bucketOf(scene)).account),
  },
  {
    name: 'PutBucketAcl',
    access: onBucket('PutBucketAcl'),
    handle: async (scene) => {
      await bucketOf(scene);
      await putAcl(scene);
    },
  },
  {
    name: 'GetObjectAcl',
    access: onObject('GetObjectAcl'),
    handle: async (scene) => {
      await objectOf(scene);
      answerAcl(scene, (await bucketOf(scene)).account);
    },
  },
  {
    name: 'PutObjectAcl',
    access: onObject('PutObjectAcl'),
    handle: async (scene) => {
      await objectOf(scene);
      await putAcl(scene);
    },
  },
];

/** Grantees have a type, which is an attribute. */
function answerAcl(scene: Scene, account: string): void {
  answerXml(scene, 'AccessControlPolicy', ownersAcl(account));
  scene.ctx.body = String(scene.ctx.body).replace(
    '<Grantee>',
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">',
  );
}

export const configurationOperations: readonly ObjectOperation[] = [...unsetOperations, ...aclOperations];

/** The text of a document's only rule. @throws MalformedXML */
export function ruleText(document: Element, name: string): string {
  const [rule] = document.children;
  const text = rule && textOf(rule, name);
  if (text === undefined || document.children.length !== 1) throw malformedXml();
  return text;
}
