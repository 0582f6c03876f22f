import type { FailedDeployment, Judgement, ServiceRecord } from '../state/index.ts';

import { hasTaskSets } from './task-sets.ts';

/** How the newest deployment of a service stands, in one word, with the evidence. */
export interface DeploymentVerdict {
  readonly verdict:
    | 'succeeded'
    | 'failed'
    | 'rolled back'
    | 'rolling back'
    | 'unplaceable'
    | 'inconclusive'
    | 'in progress';
  readonly deploymentId: string;
  readonly evidence: string;
}

/**
 * Undefined for a service without a PRIMARY deployment (deleted), and for task sets: what they come to their controller judges. No capacity is `unplaceable`, never `failed`; one that was given up
 * without anything having been found out about its revision is `inconclusive`.
 */
export function verdictOf(service: ServiceRecord): DeploymentVerdict | undefined {
  const primary = service.deployments.find(({ status }) => status === 'PRIMARY');
  if (primary === undefined || hasTaskSets(service)) return undefined;
  const of = (verdict: DeploymentVerdict['verdict'], evidence: string): DeploymentVerdict => ({
    verdict,
    deploymentId: primary.id,
    evidence,
  });
  const rollback = primary.cause.kind === 'rollback' ? (primary.cause.detail ?? '') : undefined;
  switch (primary.rolloutState) {
    case 'FAILED':
      return of(judged(primary), primary.rolloutStateReason);
    case 'COMPLETED': {
      if (rollback === undefined) return of('succeeded', primary.rolloutStateReason);
      const found = judged(primary.cause.failed ?? {});
      return of(found === 'failed' ? 'rolled back' : found, rollback);
    }
    case 'IN_PROGRESS':
      if (rollback === undefined && primary.shifting?.rollback !== undefined)
        return of('rolling back', primary.shifting.rollback.reason);
      if (primary.unplaceable !== undefined)
        return of('unplaceable', `${primary.unplaceable.code}: ${primary.unplaceable.message}`);
      return rollback === undefined ? of('in progress', primary.rolloutStateReason) : of('rolling back', rollback);
  }
}

const judged = ({ judgement, shifting }: Pick<FailedDeployment, 'judgement' | 'shifting'>): Judgement =>
  judgement ?? shifting?.rollback?.verdict ?? 'failed';
