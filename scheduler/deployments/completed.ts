import type { DeploymentRecord } from '../state/index.ts';

/** The deployment a rollback would go to. */
export function newestCompleted(deployments: readonly DeploymentRecord[]): DeploymentRecord | undefined {
  return deployments
    .filter((deployment) => deployment.completedAt !== undefined)
    .reduce<DeploymentRecord | undefined>(
      (best, deployment) => ((best?.completedAt ?? -1) >= (deployment.completedAt ?? 0) ? best : deployment),
      undefined,
    );
}
