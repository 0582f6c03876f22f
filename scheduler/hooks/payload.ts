import type { EcsPorts } from '../cluster/index.ts';
import { deploymentArn, revisionArn, type ServiceRef, servingOf } from '../services/index.ts';
import { arns } from '../state/index.ts';
import type { AskedHook } from './asked.ts';

/** What a hook is told: the event that ECS hands to a Lambda function (developer guide, "Lifecycle hooks for Amazon ECS service deployments"). */
export interface HookPayload {
  /** The same each time that one asking is repeated, and no other's. */
  readonly executionId: string;
  readonly lifecycleStage: string;
  /** ARN of the service deployment. */
  readonly resourceArn: string;
  readonly executionDetails: {
    readonly serviceArn: string;
    /** ARN of the new revision, also while traffic goes back to the old one. */
    readonly targetServiceRevisionArn: string;
    /** Percent by ARN of the revision; empty but at TEST_TRAFFIC_SHIFT. */
    readonly testTrafficWeights: Readonly<Record<string, number>>;
    /** The same, but at PRODUCTION_TRAFFIC_SHIFT. */
    readonly productionTrafficWeights: Readonly<Record<string, number>>;
  };
  /** Those of the hook's configuration, and over them what it gave back itself. */
  readonly hookDetails: object;
}

/** @param given back by the hook so far, in answers to the same asking */
export function payloadOf(
  ports: EcsPorts,
  ref: ServiceRef,
  { service, deployment, run, hook }: AskedHook,
  given: unknown,
): HookPayload {
  const target = revisionArn(ports, ref, deployment.id);
  // Whose traffic it takes over: the newest deployment that was done.
  const serving = servingOf({ deployments: service.deployments.filter(({ id }) => id !== deployment.id) });
  const weights = (percent = 0): Record<string, number> => ({
    [target]: percent,
    ...(serving === undefined ? {} : { [revisionArn(ports, ref, serving.id)]: 100 - percent }),
  });
  const wanted = deployment.shifting?.wanted;
  return {
    executionId: run.id,
    lifecycleStage: run.stage,
    resourceArn: deploymentArn(ports, ref, deployment.id),
    executionDetails: {
      serviceArn: arns.service(ports.region, ref.account, ref.cluster, ref.service),
      targetServiceRevisionArn: target,
      testTrafficWeights: run.stage === 'TEST_TRAFFIC_SHIFT' ? weights(wanted?.test) : {},
      productionTrafficWeights: run.stage === 'PRODUCTION_TRAFFIC_SHIFT' ? weights(wanted?.production) : {},
    },
    hookDetails: merged(hook.details, given),
  };
}

/** Two of a hook's objects as one; a member of the later one counts. */
export const merged = (earlier: unknown, later: unknown): object => ({
  ...(earlier as object | undefined),
  ...(later as object | undefined),
});
