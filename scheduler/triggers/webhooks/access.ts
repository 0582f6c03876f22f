import type { AccessRequest } from '@slipway/auth/contract';

import type { EcsContext } from '../../cluster/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import { arns, type ServiceRecord } from '../../state/index.ts';

/** What somebody must be allowed to do `action` to a service; with its tags when it is there. */
export function serviceAccess(
  { region }: Pick<EcsContext, 'region'>,
  action: string,
  ref: ServiceRef,
  service: ServiceRecord | undefined,
): AccessRequest {
  const arn = arns.service(region, ref.account, ref.cluster, ref.service);
  return {
    action,
    resources: [{ arn, ...(service === undefined ? {} : { tags: service.tags }) }],
    context: { 'ecs:cluster': arns.cluster(region, ref.account, ref.cluster) },
  };
}

/** What a webhook does to its service. */
export const updateAccess = (
  context: Pick<EcsContext, 'region'>,
  ref: ServiceRef,
  service: ServiceRecord | undefined,
): AccessRequest => serviceAccess(context, 'ecs:UpdateService', ref, service);
