import { type ServiceRequests, waitingRequests } from '../../control/index.ts';
import { computedCount, countProviders, nextProviders, startedAs, upperBound } from '../../deployments/index.ts';
import type { PlacementRequest } from '../../placement/index.ts';
import type { ServiceRecord, TaskDefinitionRecord } from '../../state/index.ts';
import type { ClusterView } from '../../views/index.ts';

/** Revisions by their ARNs. */
export type KnownDefinitions = ReadonlyMap<string, TaskDefinitionRecord>;

/**
 * What every task that waits for room on a provider asks placement for: tasks of RunTask, and what services lack of which the last pass
 * found no instance. What no pass has looked at yet waits for nobody.
 */
export function waitingFor(
  view: ClusterView,
  provider: string,
  requests: ServiceRequests,
  definitions: KnownDefinitions,
): PlacementRequest[] {
  const requestOf = waitingRequests();
  const tasks = [...view.waiting].flatMap((id) => {
    const task = view.tasks.get(id)?.value;
    return task?.capacityProvider === provider ? (requestOf(task) ?? []) : [];
  });
  const services = servicesOn(view, provider).flatMap((service) =>
    missingOf(view, service, provider).flatMap(({ deployment, count }) => {
      const definition = definitions.get(deployment.taskDefinition);
      if (definition === undefined) return [];
      const { request } = requests.of(startedAs(service, deployment), definition, provider);
      return Array.from({ length: count }, () => request);
    }),
  );
  return [...tasks, ...services];
}

/** Services whose tasks may run on a provider. */
export const servicesOn = (view: ClusterView, provider: string): ServiceRecord[] =>
  [...view.services.values()].flatMap(({ value: service }) =>
    service.status === 'ACTIVE' &&
    service.deployments.some((deployment) =>
      startedAs(service, deployment).capacityProviderStrategy?.some((item) => item.capacityProvider === provider),
    )
      ? [service]
      : [],
  );

type Deployment = ServiceRecord['deployments'][number];

/** How many tasks of each deployment the provider would have if it had room. */
function missingOf(
  view: ClusterView,
  service: ServiceRecord,
  provider: string,
): { readonly deployment: Deployment; readonly count: number }[] {
  const live = view
    .openTasksOfService(service.name)
    .filter(({ lastStatus, desiredStatus }) => lastStatus !== 'STOPPED' && desiredStatus === 'RUNNING');
  return service.deployments.flatMap((deployment) => {
    if (deployment.unplaceable === undefined) return [];
    const strategy = startedAs(service, deployment).capacityProviderStrategy ?? [];
    const own = live.filter((task) => task.service?.deploymentId === deployment.id);
    const { taskSet } = deployment;
    const wanted = taskSet === undefined ? service.desiredCount : computedCount(service.desiredCount, taskSet);
    // A rolling update starts no more than its maximum leaves room for; other strategies run both revisions whole.
    const isRolling = taskSet === undefined && (service.deploymentConfiguration.strategy ?? 'ROLLING') === 'ROLLING';
    const most = isRolling
      ? upperBound(service.desiredCount, service.deploymentConfiguration) - live.length
      : Number.POSITIVE_INFINITY;
    const missing = Math.min(wanted - own.length, most);
    if (missing <= 0 || strategy.length === 0) return [];
    const have = countProviders(own.map(({ capacityProvider }) => capacityProvider));
    const count = nextProviders(strategy, have, missing).filter((next) => next === provider).length;
    return count === 0 ? [] : [{ deployment, count }];
  });
}
