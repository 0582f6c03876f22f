import type { ServiceRef } from '../services/index.ts';
import type { DeploymentRecord, HookRun, LifecycleHook, ServiceRecord } from '../state/index.ts';

/** A hook that a deployment waits for, and that somebody has to ask: a webhook or a command task. Pauses are ended by people. */
export interface AskedHook {
  readonly service: ServiceRecord;
  readonly deployment: DeploymentRecord;
  readonly run: HookRun;
  readonly hook: LifecycleHook & { readonly target: Exclude<LifecycleHook['target'], { readonly type: 'pause' }> };
}

/** What a service waits for now; runs that are over, one way or the other, are nobody's concern any more. */
export function askedHooks(service: ServiceRecord | undefined): AskedHook[] {
  if (service === undefined || service.status !== 'ACTIVE') return [];
  return service.deployments.flatMap((deployment) => {
    const { shifting } = deployment;
    if (shifting === undefined || deployment.rolloutState !== 'IN_PROGRESS') return [];
    return shifting.runs.flatMap((run): AskedHook[] => {
      const hook = shifting.hooks[run.hook];
      if (run.status !== 'IN_PROGRESS' || hook === undefined) return [];
      const { target } = hook;
      return target.type === 'pause' ? [] : [{ service, deployment, run, hook: { ...hook, target } }];
    });
  });
}

/** The same for one run. */
export const askedHook = (service: ServiceRecord | undefined, run: string): AskedHook | undefined =>
  askedHooks(service).find((asked) => asked.run.id === run);

/** Names the service of a cluster. */
export const refOf = (
  cluster: { readonly account: string; readonly name: string },
  service: Pick<ServiceRecord, 'name'>,
): ServiceRef => ({ account: cluster.account, cluster: cluster.name, service: service.name });
