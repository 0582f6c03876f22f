import {
  type DeploymentRecord,
  type LifecycleStage,
  lifecycleStages,
  type ServiceRecord,
  type Shifting,
} from '../state/index.ts';

import { newestCompleted } from './completed.ts';

/** Whether a deployment has come to a stage. */
export const hasReached = ({ stage }: Pick<Shifting, 'stage'>, other: LifecycleStage): boolean =>
  lifecycleStages.indexOf(stage) >= lifecycleStages.indexOf(other);

/**
 * How far the PRIMARY deployment is with shifting traffic, FAILED ones that stand where they were included; undefined when the
 * service is as it should be, goes back to what it had, ends, or rolls.
 */
export function shiftingOf({
  status,
  deployments,
}: Pick<ServiceRecord, 'status' | 'deployments'>): Shifting | undefined {
  const primary = deployments.find((deployment) => deployment.status === 'PRIMARY');
  if (status !== 'ACTIVE' || primary === undefined || primary.rolloutState === 'COMPLETED') return undefined;
  return primary.cause.kind === 'rollback' ? undefined : primary.shifting;
}

/** The deployment that traffic is taken from, and goes back to: the newest that had completed, whatever was tried in between. */
export const sourceOf = (deployments: readonly DeploymentRecord[]): DeploymentRecord | undefined =>
  newestCompleted(deployments.filter(({ status }) => status !== 'PRIMARY'));

/** Whether no task of the deployment is started any more, whatever ends. */
export const isStalled = ({ rolloutState, triesOn }: DeploymentRecord): boolean =>
  rolloutState === 'FAILED' && triesOn !== true;

/** Whether what the deployment's tasks do counts no more: it is FAILED for good, or gives traffic back to be so. */
export const isGivenUp = (deployment: DeploymentRecord): boolean =>
  isStalled(deployment) ||
  (deployment.status === 'PRIMARY' &&
    deployment.rolloutState === 'IN_PROGRESS' &&
    deployment.cause.kind !== 'rollback' &&
    deployment.shifting?.rollback !== undefined);
