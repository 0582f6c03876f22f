import type { AccessList, ConditionContext, ResourceRef } from '@slipway/auth/contract';
import { type ApiOperations, type Pages, parseArn, type SceneOf } from '@slipway/auth/kit';
import type { Sealer } from '@slipway/auth/tokens';

import type { RandomBytes } from '../../state/index.ts';
import { type ApiPorts, operationsOf } from '../api/index.ts';
import { type Balancing, certificateArn, certificateId, type CertificateRecord } from '../records/index.ts';

import { invalidArn, notFound, unsupported } from './errors.ts';
import { operationSchema } from './shapes.ts';

/** What the operations of ACM's API work with. */
export interface AcmApi extends ApiPorts {
  readonly random: RandomBytes;
  readonly pages: Pages;
  /** Keeps private keys. */
  readonly sealer: Sealer;
}

export type Scene = SceneOf<AcmApi>;
export type AcmOperations = ApiOperations<AcmApi>;

/** Declares an operation. */
export const operation = operationsOf<AcmApi>({ operationSchema, unsupported });

/** The certificate that an ARN names. @throws InvalidArnException, ResourceNotFoundException */
export function find(scene: Scene, balancing: Balancing, arn: string): CertificateRecord {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'acm' || !parsed.resource.startsWith('certificate/')) throw invalidArn(arn);
  const record = balancing.get('certificate', certificateId(scene, arn));
  if (record === undefined) throw notFound(arn);
  return record;
}

/** What policies can say about a certificate; one that is not there is asked for as it was written. */
function reference(scene: Scene, balancing: Balancing, arn: string): ResourceRef {
  const record = balancing.get('certificate', certificateId(scene, arn));
  return record === undefined
    ? { arn: parseArn(arn) === undefined ? '*' : arn }
    : { arn: certificateArn(scene, record.id), tags: record.tags };
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
