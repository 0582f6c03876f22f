import type { ServiceRecord } from '../state/index.ts';

/** How the newest deployment of a service stands, in one word, with the evidence. */
export interface DeploymentVerdict {
  readonly verdict: 'succeeded' | 'failed' | 'rolled back' | 'rolling back' | 'unplaceable' | 'in progress';
  readonly deploymentId: string;
  readonly evidence: string;
}

/** Undefined for a service without a PRIMARY deployment (deleted). No capacity is `unplaceable`, never `failed`. */
export function verdictOf(service: ServiceRecord): DeploymentVerdict | undefined {
  const primary = service.deployments.find(({ status }) => status === 'PRIMARY');
  if (primary === undefined) return undefined;
  const of = (verdict: DeploymentVerdict['verdict'], evidence: string): DeploymentVerdict => ({
    verdict,
    deploymentId: primary.id,
    evidence,
  });
  const rollback = primary.cause.kind === 'rollback' ? (primary.cause.detail ?? '') : undefined;
  switch (primary.rolloutState) {
    case 'FAILED':
      return of('failed', primary.rolloutStateReason);
    case 'COMPLETED':
      return rollback === undefined ? of('succeeded', primary.rolloutStateReason) : of('rolled back', rollback);
    case 'IN_PROGRESS':
      if (primary.unplaceable !== undefined)
        return of('unplaceable', `${primary.unplaceable.code}: ${primary.unplaceable.message}`);
      return rollback === undefined ? of('in progress', primary.rolloutStateReason) : of('rolling back', rollback);
  }
}
