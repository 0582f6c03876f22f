import type { AccessList, ConditionContext, ResourceRef } from '@slipway/auth/contract';
import { type ApiOperations, type Pages, parseArn, type SceneOf } from '@slipway/auth/kit';
import type { AcmeAuthority } from '@slipway/auth/acme';
import type { Sealer } from '@slipway/auth/tokens';

import type { RandomBytes } from '../../state/index.ts';
import { type ApiPorts, operationsOf } from '../api/index.ts';
import {
  type Balancing,
  certificateArn,
  certificateId,
  type CertificateRecord,
  type Draft,
  type RequestedRecord,
  type Tags,
} from '../records/index.ts';

import { invalidArn, notFound, unsupported } from './errors.ts';
import { operationSchema } from './shapes.ts';

/** What the operations of ACM's API work with. */
export interface AcmApi extends ApiPorts {
  readonly random: RandomBytes;
  readonly pages: Pages;
  /** Keeps private keys. */
  readonly sealer: Sealer;
  /** Who issues certificates that are requested; undefined where the installation has no authority. */
  readonly authority: Pick<AcmeAuthority, 'ownNames'> | undefined;
}

export type Scene = SceneOf<AcmApi>;
export type AcmOperations = ApiOperations<AcmApi>;

/** Declares an operation. */
export const operation = operationsOf<AcmApi>({ operationSchema, unsupported });

/** What an ARN names: a certificate, the request for one, or both; one of them is there. */
export interface Held {
  readonly id: string;
  readonly tags: Tags;
  readonly certificate: CertificateRecord | undefined;
  /** Of one that was requested. */
  readonly requested: RequestedRecord | undefined;
}

export function heldOf(balancing: Balancing, id: string | undefined): Held | undefined {
  const certificate = balancing.get('certificate', id);
  const requested = balancing.get('requested', id);
  const one = certificate ?? requested;
  return one === undefined ? undefined : { id: one.id, tags: one.tags, certificate, requested };
}

/** What an ARN names. @throws InvalidArnException, ResourceNotFoundException */
export function find(scene: Scene, balancing: Balancing, arn: string): Held {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'acm' || !parsed.resource.startsWith('certificate/')) throw invalidArn(arn);
  const held = heldOf(balancing, certificateId(scene, arn));
  if (held === undefined) throw notFound(arn);
  return held;
}

/** Gives what an ARN names other tags. */
export function retag(draft: Draft, { certificate, requested }: Held, tags: Tags): void {
  if (certificate !== undefined) draft.put('certificate', { ...certificate, tags });
  else if (requested !== undefined) draft.put('requested', { ...requested, tags });
}

/** What policies can say about a certificate; one that is not there is asked for as it was written. */
function reference(scene: Scene, balancing: Balancing, arn: string): ResourceRef {
  const held = heldOf(balancing, certificateId(scene, arn));
  return held === undefined
    ? { arn: parseArn(arn) === undefined ? '*' : arn }
    : { arn: certificateArn(scene, held.id), tags: held.tags };
}

/** `acm:<action>` on a certificate, or on those that are made. */
export const mayOn =
  <I>(
    action: string,
    arnOf: (input: I) => string | undefined,
    contextOf: (input: I) => ConditionContext = () => ({}),
  ) =>
  (input: I, scene: Scene, balancing: Balancing): AccessList => {
    const arn = arnOf(input);
    const resource = arn === undefined ? { arn: certificateArn(scene, '*') } : reference(scene, balancing, arn);
    return [{ action: `acm:${action}`, resources: [resource], context: contextOf(input) }];
  };

/** Access to what is of no certificate. */
export const mayList = (action: string) => (): AccessList => [{ action: `acm:${action}`, resources: [{ arn: '*' }] }];

/** Of version 4, as ACM's ids are. */
export function newId({ api }: Scene): string {
  const bytes = Buffer.from(api.random(16));
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
