import { AwsError } from '@slipway/auth/contract';

import { dimension, resourceId } from './keys.ts';

/** Errors in the words of Application Auto Scaling. */

export const invalid = (message: string): AwsError => new AwsError('ValidationException', message);

export const noTarget = (ref: Parameters<typeof resourceId>[0]): AwsError =>
  new AwsError(
    'ObjectNotFoundException',
    `No scalable target registered for service namespace: ecs, resource ID: ${resourceId(ref)}, scalable dimension: ${dimension}`,
  );

export const tooMany = (what: string): AwsError => new AwsError('LimitExceededException', what);
