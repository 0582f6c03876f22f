import { noAcls, refuseUnserved } from './described.ts';
import { accessDenied, notServed, refusal } from './errors.ts';
import { isBucketName } from './names.ts';
import { answerEmpty, answerXml, bucketOf, mayAlso, type ObjectOperation, onBucket, type Scene } from './scene.ts';
import type { PublicAccess } from './store/index.ts';
import { tagsOfSet } from './tags.ts';
import { childrenOf, textOf, type Written } from './xml.ts';
import { ownerOf } from './written.ts';

const small = 64 * 1024;
/** What a bucket is kept from unless somebody says otherwise, as on S3. */
const keptFromPublic: PublicAccess = {
  BlockPublicAcls: true,
  IgnorePublicAcls: true,
  BlockPublicPolicy: true,
  RestrictPublicBuckets: true,
};

/** Buckets themselves. */
export const bucketOperations: readonly ObjectOperation[] = [
  {
    name: 'ListBuckets',
    access: () => [{ action: 's3:ListAllMyBuckets', resources: [{ arn: '*' }] }],
    handle: listBuckets,
  },
  { name: 'CreateBucket', access: onBucket('CreateBucket'), handle: create },
  {
    name: 'HeadBucket',
    access: onBucket('ListBucket'),
    handle: async (scene) => {
      await bucketOf(scene);
      scene.ctx.set('x-amz-bucket-region', scene.api.options.region);
      answerEmpty(scene, 200);
    },
  },
  {
    name: 'DeleteBucket',
    access: onBucket('DeleteBucket'),
    handle: async (scene) => {
      await bucketOf(scene);
      await scene.api.buckets.remove(scene.bucket);
      answerEmpty(scene);
    },
  },
  {
    name: 'GetBucketLocation',
    access: onBucket('GetBucketLocation'),
    handle: async (scene) => {
      await bucketOf(scene);
      const { region } = scene.api.options;
      answerXml(scene, 'LocationConstraint', region === 'us-east-1' ? undefined : region);
    },
  },
];

async function listBuckets(scene: Scene): Promise<void> {
  const { api, call, query } = scene;
  const prefix = query.get('prefix') ?? '';
  const after = query.get('continuation-token') ?? '';
  const most = Number(query.get('max-buckets') ?? 10_000);
  const Bucket: Written[] = [];
  let last: string | undefined;
  let isTruncated = false;
  for await (const { name, createdAt } of api.buckets.of(call.account, { prefix, after })) {
    if (Bucket.length >= most) {
      isTruncated = true;
      break;
    }
    last = name;
    Bucket.push({ Name: name, CreationDate: new Date(createdAt).toISOString(), BucketRegion: api.options.region });
  }
  answerXml(scene, 'ListAllMyBucketsResult', {
    Owner: ownerOf(call.account),
    Buckets: { Bucket },
    ...(isTruncated ? { ContinuationToken: last } : {}),
  });
}

async function create(scene: Scene): Promise<void> {
  const { api, bucket, call, ctx, headers } = scene;
  const { region } = api.options;
  if (!isBucketName(bucket)) throw refusal(400, 'InvalidBucketName', 'The specified bucket is not valid.');
  refuseUnserved(headers);
  if (headers['x-amz-bucket-object-lock-enabled'] === 'true') throw notServed('Object Lock', 'leave it out.');
  const ownership = headers['x-amz-object-ownership'];
  if (ownership !== undefined && ownership !== 'BucketOwnerEnforced') throw noAcls();
  let wanted: string | undefined;
  let tags: Readonly<Record<string, string>> = {};
  if (scene.body.length !== 0) {
    const root = await api.documents.readXml(scene, 'CreateBucketConfiguration', small);
    const unknown = root.children.find(({ name }) => name !== 'LocationConstraint' && name !== 'Tags');
    if (unknown !== undefined) throw notServed(`${unknown.name} of CreateBucketConfiguration`, 'leave it out.');
    wanted = textOf(root, 'LocationConstraint');
    const [set] = childrenOf(root, 'Tags');
    if (set !== undefined) tags = tagsOfSet(set, 'bucket');
    if (Object.keys(tags).length > 0 && !(await mayAlso(scene, 'TagResource', bucket))) throw accessDenied();
  }
  if ((wanted ?? '') !== '' && wanted !== region)
    throw refusal(
      400,
      'IllegalLocationConstraintException',
      `The ${wanted} location constraint is incompatible for the region specific endpoint this request was sent to. This installation is ${region}.`,
    );
  const isNew = await api.buckets.create(bucket, {
    account: call.account,
    publicAccess: keptFromPublic,
    ownership: 'BucketOwnerEnforced',
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
  });
  // In us-east-1 alone, S3 takes it as done.
  if (!isNew && region !== 'us-east-1')
    throw refusal(409, 'BucketAlreadyOwnedByYou', 'The bucket you tried to create already exists, and you own it.');
  ctx.set('Location', `/${bucket}`);
  answerEmpty(scene, 200);
}
