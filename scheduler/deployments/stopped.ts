import { failDeployment } from './breaker.ts';
import type { Pass } from './pass.ts';

/**
 * Gives a rolling deployment up that a person has stopped: it goes back to the newest completed one, whatever its breaker says (ECS:
 * StopServiceDeployment). Nothing has to be waited for, so that an abort does the same. One that shifts traffic hears of it in its stages.
 */
export function heedStop(pass: Pass): void {
  const primary = pass.primary();
  if (primary?.stop === undefined || primary.rolloutState !== 'IN_PROGRESS' || primary.cause.kind === 'rollback')
    return;
  if (pass.service.status !== 'ACTIVE') return;
  const evidence = `stopped by ${primary.stop.by}`;
  failDeployment(pass, primary.id, {
    rollback: true,
    event: evidence,
    reason: `ECS deployment ${primary.id} failed: ${evidence}.`,
    evidence,
    verdict: 'inconclusive',
  });
}
