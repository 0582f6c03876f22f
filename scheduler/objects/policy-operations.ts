import type { Call } from '@slipway/auth/contract';
import { isPublic } from '@slipway/auth/policy';

import { noAcls } from './described.ts';
import { accessDenied, malformedXml, refusal } from './errors.ts';
import { ruleText } from './configuration.ts';
import { boundPolicy } from './policies.ts';
import {
  answerEmpty,
  answerXml,
  type Asked,
  bucketOf,
  type ObjectOperation,
  onBucket,
  resourceOf,
  type Scene,
} from './scene.ts';
import type { BucketRecord, PublicAccess } from './store/index.ts';
import { tagsOfXml, writtenTags } from './tags.ts';
import { textOf } from './xml.ts';

const mostPolicy = 20 * 1024;
const accessMembers = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'] as const;

/** What buckets are configured with: policies, tags, and what they are kept from. */
export const policyOperations: readonly ObjectOperation[] = [
  {
    name: 'GetBucketPolicy',
    access: onPolicy('GetBucketPolicy'),
    handle: async (scene) => {
      await mustBeOwn(scene);
      const policy = await policyOf(scene);
      scene.ctx.status = 200;
      scene.ctx.set('Content-Type', 'application/json');
      scene.ctx.body = await scene.api.options.principals.show(policy);
    },
  },
  { name: 'PutBucketPolicy', access: onPolicy('PutBucketPolicy'), handle: putPolicy },
  {
    name: 'DeleteBucketPolicy',
    access: onPolicy('DeleteBucketPolicy'),
    handle: async (scene) => {
      await mustBeOwn(scene);
      await change(scene, without('policy'));
    },
  },
  {
    name: 'GetBucketPolicyStatus',
    access: onBucket('GetBucketPolicyStatus'),
    handle: async (scene) => answerXml(scene, 'PolicyStatus', { IsPublic: isPublic(await policyOf(scene)) }),
  },
  {
    name: 'GetBucketTagging',
    access: onBucket('GetBucketTagging'),
    handle: async (scene) => {
      const { tags } = await bucketOf(scene);
      if (tags === undefined) throw refusal(404, 'NoSuchTagSet', 'The TagSet does not exist');
      answerXml(scene, 'Tagging', writtenTags(tags));
    },
  },
  {
    name: 'PutBucketTagging',
    access: onBucket('PutBucketTagging'),
    handle: async (scene) => {
      await bucketOf(scene);
      const tags = tagsOfXml(await scene.api.documents.readXml(scene, 'Tagging', 256 * 1024), 'bucket');
      await change(scene, (bucket) => ({ ...bucket, tags }));
    },
  },
  {
    name: 'DeleteBucketTagging',
    access: onBucket('PutBucketTagging'),
    handle: (scene) => change(scene, without('tags')),
  },
  {
    name: 'GetPublicAccessBlock',
    access: onBucket('GetBucketPublicAccessBlock'),
    handle: async (scene) => {
      const { publicAccess } = await bucketOf(scene);
      if (publicAccess === undefined)
        throw refusal(
          404,
          'NoSuchPublicAccessBlockConfiguration',
          'The public access block configuration was not found',
        );
      answerXml(scene, 'PublicAccessBlockConfiguration', { ...publicAccess });
    },
  },
  { name: 'PutPublicAccessBlock', access: onBucket('PutBucketPublicAccessBlock'), handle: putPublicAccess },
  {
    name: 'DeletePublicAccessBlock',
    access: onBucket('PutBucketPublicAccessBlock'),
    handle: (scene) => change(scene, without('publicAccess')),
  },
  {
    name: 'GetBucketOwnershipControls',
    access: onBucket('GetBucketOwnershipControls'),
    handle: async (scene) => {
      const { ownership } = await bucketOf(scene);
      if (ownership === undefined)
        throw refusal(404, 'OwnershipControlsNotFoundError', 'The bucket ownership controls were not found');
      answerXml(scene, 'OwnershipControls', { Rule: { ObjectOwnership: ownership } });
    },
  },
  {
    name: 'PutBucketOwnershipControls',
    access: onBucket('PutBucketOwnershipControls'),
    handle: async (scene) => {
      await bucketOf(scene);
      const document = await scene.api.documents.readXml(scene, 'OwnershipControls', 64 * 1024);
      if (ruleText(document, 'ObjectOwnership') !== 'BucketOwnerEnforced') throw noAcls();
      await scene.api.buckets.change(scene.bucket, (bucket) => ({ ...bucket, ownership: 'BucketOwnerEnforced' }));
      answerEmpty(scene, 200);
    },
  },
  {
    name: 'DeleteBucketOwnershipControls',
    access: onBucket('PutBucketOwnershipControls'),
    handle: (scene) => change(scene, without('ownership')),
  },
];

const without =
  (name: 'policy' | 'tags' | 'publicAccess' | 'ownership') =>
  (bucket: BucketRecord): BucketRecord => {
    const { [name]: _, ...rest } = bucket;
    return rest;
  };

/** An operation's need of one action on the policy. Nothing that it says keeps the root user of its account from mending it, as on S3. */
function onPolicy(action: string) {
  return async (asked: Asked, { principal }: Call) => {
    const { policy, ...resource } = await resourceOf(asked, principal, asked.bucket);
    const isRoot = principal.type === 'root' && principal.account === resource.account;
    const resources = [isRoot || policy === undefined ? resource : { ...resource, policy }];
    return [{ action: `s3:${action}`, resources }] as const;
  };
}

/** Policies are the bucket's account's own matter, whatever they give to others. @throws MethodNotAllowed, as on S3 */
async function mustBeOwn(scene: Scene): Promise<void> {
  if ((await bucketOf(scene)).account !== scene.call.account)
    throw refusal(405, 'MethodNotAllowed', 'The specified method is not allowed against this resource.');
}

async function policyOf(scene: Scene): Promise<string> {
  const { policy } = await bucketOf(scene);
  if (policy === undefined) throw refusal(404, 'NoSuchBucketPolicy', 'The bucket policy does not exist');
  return policy;
}

async function change(scene: Scene, work: (bucket: BucketRecord) => BucketRecord): Promise<void> {
  await bucketOf(scene);
  await scene.api.buckets.change(scene.bucket, work);
  answerEmpty(scene);
}

async function putPolicy(scene: Scene): Promise<void> {
  const { api, bucket } = scene;
  await mustBeOwn(scene);
  const text = await api.documents.read(scene, mostPolicy);
  const policy = await boundPolicy(api.options.principals, bucket, text);
  await api.buckets.change(bucket, (before) => {
    // Within the commit: what keeps it from the public may have come meanwhile.
    if (before.publicAccess?.BlockPublicPolicy === true && isPublic(policy)) throw accessDenied();
    return { ...before, policy };
  });
  answerEmpty(scene);
}

async function putPublicAccess(scene: Scene): Promise<void> {
  const { api, bucket } = scene;
  await bucketOf(scene);
  const document = await api.documents.readXml(scene, 'PublicAccessBlockConfiguration', 64 * 1024);
  const given = accessMembers.map((name) => {
    const text = (textOf(document, name) ?? 'false').toLowerCase();
    if (text !== 'true' && text !== 'false') throw malformedXml();
    return [name, text === 'true'] as const;
  });
  const publicAccess = Object.fromEntries(given) as unknown as PublicAccess;
  await api.buckets.change(bucket, (before) => ({ ...before, publicAccess }));
  answerEmpty(scene, 200);
}
