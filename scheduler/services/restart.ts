import { invalidParameter } from '../cluster/index.ts';
import { hasTaskSets } from '../deployments/index.ts';
import type { ServiceRecord } from '../state/index.ts';

/** The tag on a service that has it roll when a secret or parameter of its containers has a new value, so that every client of the API can set it. */
export const restartTag = 'slipway:restart-on-secrets';

/** @returns whether the tag asks for it. @throws InvalidParameterException for any value but `true` and `false` */
export function parseRestart(value: string): boolean {
  if (value === 'true' || value === 'false') return value === 'true';
  throw invalidParameter(`Invalid value '${value}' of tag '${restartTag}': use 'true' or 'false'.`);
}

/** Whether a service rolls when what its containers are given changes. */
export const restarts = ({ tags }: Pick<ServiceRecord, 'tags'>): boolean => tags[restartTag] === 'true';

/** @throws InvalidParameterException when the tag has no valid value, or the service is deployed by somebody else */
export function checkRestart(service: ServiceRecord): void {
  const value = service.tags[restartTag];
  if (value === undefined || !parseRestart(value)) return;
  if (hasTaskSets(service) || service.controller !== undefined)
    throw invalidParameter(
      `A service whose deployment controller is not ECS is deployed by that alone, and does not roll when its secrets change. Remove the tag '${restartTag}'.`,
    );
}
