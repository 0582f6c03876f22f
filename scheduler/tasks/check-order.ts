import type { ContainerDefinition } from '@aws-sdk/client-ecs';

import { checkOneOf, refuse, refuseContainer } from './definition-error.ts';

const conditions = ['START', 'COMPLETE', 'SUCCESS', 'HEALTHY'];

/**
 * What decides the order in which containers start: `dependsOn`, `links` and `volumesFrom` must name other containers
 * of the task, and together, with the way of what is logged, must not go round in a circle.
 * @throws ClientException
 */
export function checkContainerOrder(containers: readonly ContainerDefinition[]): void {
  const byName = new Map(containers.map((container) => [container.name ?? '', container]));
  const needs = new Map<string, readonly string[]>();
  // Whose output is routed starts behind its router.
  const routers = containers.flatMap(({ name = '', firelensConfiguration: router }) =>
    router === undefined ? [] : [name],
  );
  for (const container of containers) {
    const { name = '', dependsOn = [], links = [], volumesFrom = [] } = container;
    for (const { containerName = '', condition } of dependsOn) {
      const dependency = known(name, 'dependsOn', containerName, byName);
      checkOneOf(name, 'dependsOn.condition', condition, conditions);
      if (condition === undefined) refuseContainer(name, `'dependsOn' on '${containerName}' needs a condition.`);
      checkCondition(name, condition, dependency);
    }
    const linked = links.map((link) => link.split(':', 1)[0] ?? '');
    for (const other of linked) known(name, 'links', other, byName);
    const sources = volumesFrom.map(({ sourceContainer = '' }) => sourceContainer);
    for (const other of sources) known(name, 'volumesFrom', other, byName);
    const router = container.logConfiguration?.logDriver === 'awsfirelens' ? routers : [];
    const named = dependsOn.map(({ containerName = '' }) => containerName);
    needs.set(name, [...named, ...linked, ...sources, ...router]);
  }
  refuseCircles(needs);
}

function known(
  name: string,
  member: string,
  other: string,
  byName: ReadonlyMap<string, ContainerDefinition>,
): ContainerDefinition {
  const container = byName.get(other);
  if (container === undefined)
    refuseContainer(name, `'${member}' names the container '${other}', which is not in the task.`);
  if (other === name) refuseContainer(name, `'${member}' names the container itself.`);
  return container;
}

function checkCondition(name: string, condition: string, dependency: ContainerDefinition): void {
  const other = dependency.name ?? '';
  if (condition === 'HEALTHY' && dependency.healthCheck === undefined) {
    refuseContainer(name, `It waits for '${other}' to be HEALTHY, but '${other}' has no health check.`);
  }
  if ((condition === 'COMPLETE' || condition === 'SUCCESS') && dependency.essential !== false) {
    refuseContainer(name, `It waits for '${other}' to stop (${condition}), but '${other}' is essential.`);
  }
}

function refuseCircles(needs: ReadonlyMap<string, readonly string[]>): void {
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    if (done.has(name)) return;
    if (path.includes(name)) refuse(`Containers depend on each other in a circle: ${[...path, name].join(' -> ')}.`);
    for (const other of needs.get(name) ?? []) visit(other, [...path, name]);
    done.add(name);
  };
  for (const name of needs.keys()) visit(name, []);
}
