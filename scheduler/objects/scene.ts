import type { IncomingHttpHeaders } from 'node:http';
import type {
  AccessList,
  AccessRequest,
  Call,
  Principal,
  ResourceRef,
  StreamedBody,
  WebRoute,
} from '@slipway/auth/contract';
import { isPublic } from '@slipway/auth/policy';

import { accessDenied, malformedXml, noSuchBucket, refusal } from './errors.ts';
import { bucketArn, objectArn } from './names.ts';
import type { ObjectsOptions } from './ports.ts';
import { type Bucket, Buckets, Objects, Uploads } from './store/index.ts';
import { type Element, readXml, type Written, writeXml } from './xml.ts';

/** What every operation works on. */
export interface Api {
  readonly options: ObjectsOptions;
  readonly buckets: Buckets;
  readonly objects: Objects;
  readonly uploads: Uploads;
  readonly documents: Documents;
}

export const apiOf = (options: ObjectsOptions): Api => ({
  options,
  buckets: new Buckets(options),
  objects: new Objects(options),
  uploads: new Uploads(options),
  documents: new Documents(),
});

/** Finds buckets, each of which is read once: who may do something is decided by the very record that the answer is made of. */
type FindBucket = (name: string) => Promise<Bucket | undefined>;

/** For one request. */
export function findOnce({ buckets }: Api): FindBucket {
  const found = new Map<string, Promise<Bucket | undefined>>();
  return (name) => {
    let bucket = found.get(name);
    if (bucket === undefined) found.set(name, (bucket = buckets.find(name)));
    return bucket;
  };
}

/** What a request asks for: read of its head alone. */
export interface Asked {
  readonly api: Api;
  readonly findBucket: FindBucket;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** One request that is being answered. */
export interface Scene extends Asked {
  readonly ctx: Parameters<NonNullable<WebRoute['handle']>>[0];
  readonly call: Call;
  readonly body: StreamedBody;
}

/** One operation of S3. */
export interface ObjectOperation {
  /** As S3 names it. */
  readonly name: string;
  /** `authenticated`: what must be allowed is known when the body is read, and is asked for then. */
  readonly access: 'authenticated' | ((asked: Asked, call: Call) => AccessList | Promise<AccessList>);
  readonly handle: (scene: Scene) => Promise<void>;
}

/**
 * A bucket, or an object in it, as policies see it. One that is not there is the caller's: who may do everything learns that it is not,
 * and nobody else does.
 */
export async function resourceOf(
  { findBucket }: Pick<Asked, 'findBucket'>,
  principal: Principal,
  name: string,
  key?: string,
): Promise<ResourceRef> {
  const arn = key === undefined ? bucketArn(name) : objectArn(name, key);
  // No policy opens anything to strangers, who need cause no read.
  const bucket = principal.type === 'anonymous' ? undefined : await findBucket(name);
  if (bucket === undefined) return { arn };
  const { account, policy, publicAccess } = bucket;
  // What a public policy gives to other accounts is not theirs while the bucket is kept from the public.
  const isKept = publicAccess?.RestrictPublicBuckets === true && account !== principal.account;
  const counts = policy !== undefined && !(isKept && isPublic(policy));
  return { arn, account, ...(counts ? { policy } : {}) };
}

type Access = Exclude<ObjectOperation['access'], string>;

/** An operation's need of one action on the bucket. */
export const onBucket =
  (action: string, context: (asked: Asked) => AccessRequest['context'] = () => undefined): Access =>
  async (asked, call) => {
    const keys = context(asked);
    return [
      {
        action: `s3:${action}`,
        resources: [await resourceOf(asked, call.principal, asked.bucket)],
        ...(keys === undefined ? {} : { context: keys }),
      },
    ];
  };

/** An operation's need of one action on the object. */
export const onObject =
  (action: string): Access =>
  async (asked, call) => [
    { action: `s3:${action}`, resources: [await resourceOf(asked, call.principal, asked.bucket, asked.key)] },
  ];

/** Whether a caller may do something that its request did not name. */
export async function mayAlso(
  scene: Pick<Scene, 'api' | 'findBucket' | 'call'>,
  action: string,
  bucket: string,
  key?: string,
): Promise<boolean> {
  const { api, call } = scene;
  const resource = await resourceOf(scene, call.principal, bucket, key);
  const access = { action: `s3:${action}`, resources: [resource] };
  const decision = await api.options.authorizer.authorize(call.principal, access, call);
  call.noted?.(access, decision);
  return decision.allowed;
}

/** The bucket of a request. @throws NoSuchBucket; AccessDenied when it is not of whom the caller expects */
export async function bucketOf({ findBucket, bucket, headers }: Asked): Promise<Bucket> {
  const found = await findBucket(bucket);
  if (found === undefined) throw noSuchBucket();
  const expected = headers['x-amz-expected-bucket-owner'];
  if (expected !== undefined && expected !== found.account) throw accessDenied();
  return found;
}

/** Answers with a document. */
export function answerXml({ ctx }: Pick<Scene, 'ctx'>, root: string, content: Written): void {
  ctx.status = 200;
  ctx.set('Content-Type', 'application/xml');
  ctx.body = writeXml(root, content);
}

/** Answers with nothing. */
export function answerEmpty({ ctx }: Pick<Scene, 'ctx'>, status: 200 | 204 = 204): void {
  ctx.body = status === 204 ? null : '';
  ctx.status = status;
  ctx.remove('Content-Type');
}

const mostHeld = 64 * 1024 * 1024;

/** The documents that a process holds while it reads them, together. */
export class Documents {
  #held = 0;

  /**
   * A document that a request must carry, whole.
   * @param most bytes
   * @throws MalformedXML; MaxMessageLengthExceeded, SlowDown
   */
  async read({ body }: Pick<Scene, 'body'>, most: number): Promise<string> {
    // One buffer that grows: pieces may be of a byte each, and each would take a hundred more while it is kept.
    let whole = Buffer.alloc(0);
    let size = 0;
    try {
      if ((body.length ?? 0) > most) throw tooLong();
      for await (const bytes of body.bytes) {
        const at = size;
        size += bytes.byteLength;
        this.#held += bytes.byteLength;
        if (size > most) throw tooLong();
        if (this.#held > mostHeld)
          throw refusal(
            503,
            'SlowDown',
            'The server reads too many documents just now; please reduce your request rate.',
          );
        if (size > whole.byteLength) {
          const larger = Buffer.allocUnsafe(Math.min(most, Math.max(size, 2 * whole.byteLength)));
          whole.copy(larger, 0, 0, at);
          whole = larger;
        }
        whole.set(bytes, at);
      }
      return new TextDecoder('utf-8', { fatal: true }).decode(whole.subarray(0, size));
    } catch (error) {
      if (error instanceof TypeError) throw malformedXml();
      throw error;
    } finally {
      this.#held -= size;
    }
  }

  /** @param root the name of its outermost element */
  async readXml(scene: Pick<Scene, 'body'>, root: string, most: number): Promise<Element> {
    const element = readXml(await this.read(scene, most));
    if (element.name !== root) throw malformedXml();
    return element;
  }
}

const tooLong = () => refusal(400, 'MaxMessageLengthExceeded', 'Your request was too large.');
