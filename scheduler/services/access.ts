import type { AccessList, AccessRequest } from '@slipway/auth/contract';
import { passRole } from '@slipway/auth/identity';

import type { EcsPorts } from '../cluster/index.ts';
import { arns, type ServiceRecord, type TaskDefinitionRecord } from '../state/index.ts';
import { passRoles, rolesOf } from '../tasks/index.ts';
import type { ServiceRef } from './services.ts';
import { deploymentRoles } from './strategy.ts';

/** What somebody must be allowed to do `action` to a service; with its tags when it is there. */
export function serviceAccess(
  { region }: Pick<EcsPorts, 'region'>,
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

/**
 * What an UpdateService needs: `ecs:UpdateService` on the service and, when it names a revision, `iam:PassRole` on the roles of that.
 * Whatever brings other images into a service later (a rule to follow, a webhook) needs the same, with the revision that it builds on.
 */
export function updateAccess(
  ports: Pick<EcsPorts, 'region'>,
  ref: ServiceRef,
  service: ServiceRecord | undefined,
  definition: TaskDefinitionRecord | undefined,
): AccessList {
  const update = serviceAccess(ports, 'ecs:UpdateService', ref, service);
  if (definition === undefined) return [update];
  return [
    { ...update, context: { ...update.context, 'ecs:task-definition': definition.arn } },
    ...passRoles(rolesOf(definition)),
  ];
}

/** Handing ECS the roles of hooks and of the rules of load balancers needs iam:PassRole on each that a request names. */
export const passDeploymentRoles = (input: Parameters<typeof deploymentRoles>[0]): AccessRequest[] =>
  deploymentRoles(input).map((role) => passRole(role, 'ecs.amazonaws.com'));
