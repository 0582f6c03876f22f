import { dirname } from 'node:path';
import type { Volume } from '@aws-sdk/client-ecs';
import { known, variables } from './compose-fields.ts';
import { type ComposeService, readService } from './compose-service.ts';
import { type Field, readYaml } from './fields.ts';
import { type App, type AppContainer, type AppService, nameFrom } from './model.ts';
import type { Problems } from './problems.ts';
import { interpolate } from './values.ts';

/** What a Compose file is read with, beside itself. */
export interface ComposeInput {
  /** Where it lies. */
  readonly path: string;
  readonly source: string;
  /** Of the shell, and of `.env` beside the file. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Of the project, where somebody said it. */
  readonly name?: string;
  /** Of the project, where nobody says it. */
  readonly usualName: string;
}

/**
 * Reads a Compose file. Services that depend on each other (`depends_on`, `links`) are containers of one task, which reach each other by
 * name; every other one is a service of its own. What has no counterpart is a problem of its line: nothing is left out without a word.
 */
export function readCompose(input: ComposeInput, problems: Problems): App {
  const root = readYaml(input.source, problems, (raw, refuse) => interpolate(raw, input.variables, refuse));
  const parts = known(root, ['version', 'name', 'services', 'volumes'], {
    networks:
      'services that depend on each other (depends_on, links) run in one task and reach each other by name, others do not: remove it',
    configs: 'no files are put into containers: copy them into the image, or pass them by environment',
    secrets:
      'keep values by slipway secrets set NAME, and write x-slipway: { secrets: { VARIABLE: NAME } } into the service',
    include: 'one file says all: write what is included here',
    models: 'no models are served here: remove it',
  });
  const said = input.name ?? parts.get('name')?.text();
  const name = nameFrom(said ?? input.usualName);
  if (name === '') problems.add(0, 'needs a name: letters and digits, that all names begin with');
  const folder = dirname(input.path);
  const shared = volumesOf(parts.get('volumes'), name);
  const around = {
    project: name,
    folder,
    variables: input.variables,
    volumes: new Map([...shared].map(([key, volume]) => [key, volume.name ?? ''])),
  };
  const services = [...(parts.get('services')?.members() ?? [])].map(([key, field]) => readService(key, field, around));
  if (services.length === 0 && !problems.any) problems.add(0, 'has no services');
  return { name, folder, services: groupsOf(services).map((group) => serviceOf(name, group, [...shared.values()])) };
}

/** Volumes with names keep their data on each host that has one: `<project>_<volume>`, as docker compose names them. */
function volumesOf(field: Field | undefined, project: string): ReadonlyMap<string, Volume> {
  const found = new Map<string, Volume>();
  for (const [key, member] of field?.members() ?? []) {
    const parts = known(member, ['name', 'external', 'driver', 'labels'], {
      driver_opts: 'hosts allow no options of drivers: remove it',
    });
    if ((parts.get('driver')?.text() ?? 'local') !== 'local') parts.get('driver')?.refuse('is local: remove it');
    const external = parts.get('external')?.truth() === true;
    const labels = parts.get('labels');
    const name = parts.get('name')?.text() ?? (external ? key : `${project}_${key}`);
    found.set(key, {
      name,
      dockerVolumeConfiguration: {
        scope: 'shared',
        autoprovision: !external,
        driver: 'local',
        ...(labels === undefined ? {} : { labels: variables(labels, {}) }),
      },
    });
  }
  return found;
}

/** Services that depend on each other, in the order of the file. */
export function groupsOf(services: readonly ComposeService[]): readonly (readonly ComposeService[])[] {
  const groupOf = new Map(services.map(({ name }) => [name, new Set([name])]));
  for (const { name, dependsOn, links } of services)
    for (const { to, field } of [
      ...dependsOn.map(({ containerName = '', field }) => ({ to: containerName, field })),
      ...links,
    ]) {
      const [one, other] = [groupOf.get(name), groupOf.get(to)];
      if (other === undefined || to === name) field.refuse(`there is no other service ${to}`);
      else if (one !== undefined && one !== other) for (const member of other) groupOf.set(member, one.add(member));
    }
  const groups = new Set(groupOf.values());
  return [...groups].map((group) => services.filter(({ name }) => group.has(name)));
}

/** The service of ECS that a group is: named after the one that nobody else depends on, or that has ports. */
function serviceOf(project: string, group: readonly ComposeService[], shared: readonly Volume[]): AppService {
  const all = group.map(({ name }) => name).join(', ');
  const needed = new Set(
    group.flatMap(({ dependsOn, links }) => [
      ...dependsOn.map(({ containerName = '' }) => containerName),
      ...links.map(({ to }) => to),
    ]),
  );
  const heads = group.filter(({ name }) => !needed.has(name));
  const head = heads.find(({ published }) => published.length > 0) ?? heads[0] ?? group[0];
  if (head === undefined) throw new TypeError('a group has a service');
  if (heads.length === 0) head.field.refuse(`depends on itself, by way of others: ${all}`);
  const count = checkCounts(group, all);
  const limited = group.filter(({ cpuLimit }) => cpuLimit !== undefined);
  if (limited.length > 0 && limited.length < group.length)
    limited[0]?.field.refuse(`the limit of CPUs is one of the task: give ${all} one each, or reservations`);
  checkRestarts(group);
  const publish = group.flatMap(({ name, published }) => published.map((port) => ({ container: name, ...port })));
  const twice = publish.find(({ port }, i) => publish.findIndex((other) => other.port === port) < i);
  if (twice !== undefined) head.field.refuse(`port ${twice.port} is published twice by ${all}, which run together`);
  const mounted = new Set(
    group.flatMap(({ container }) => (container.definition.mountPoints ?? []).map(({ sourceVolume }) => sourceVolume)),
  );
  return {
    name: `${project}-${head.name}`.replaceAll('_', '-'),
    line: head.field.line,
    ...(count === undefined ? {} : { count }),
    containers: group.map((service) => containerOf(service, group)),
    volumes: [...shared.filter(({ name }) => mounted.has(name)), ...group.flatMap(({ volumes }) => volumes)],
    publish,
    healthPath: group.find(({ healthPath }) => healthPath !== undefined)?.healthPath ?? '/',
    ...(limited.length === 0 ? {} : { cpu: limited.reduce((sum, { cpuLimit = 0 }) => sum + cpuLimit, 0) }),
  };
}

/** How many tasks a group is. Compose has one of what has no count, which would be several here. */
function checkCounts(group: readonly ComposeService[], all: string): number | undefined {
  const counted = group.flatMap(({ count }) => (count === undefined ? [] : [count]));
  const [first] = counted;
  if (new Set(group.map(({ count }) => count?.value ?? 1)).size > 1)
    first?.field.refuse(
      `services that depend on each other run in one task, so many times: give ${all} the same count, or remove depends_on and links`,
    );
  return first?.value;
}

/** Whether a service only has to end well before others start. */
const completes = (name: string, group: readonly ComposeService[]): boolean =>
  group.some(({ dependsOn }) =>
    dependsOn.some(({ containerName, condition }) => containerName === name && condition === 'SUCCESS'),
  );

/** A container of the group: with what it waits for, and links to it; what only has to end well does not end the task. */
function containerOf(
  { name, container, dependsOn, links }: ComposeService,
  group: readonly ComposeService[],
): AppContainer {
  const named = [
    ...dependsOn.filter(({ condition }) => condition !== 'SUCCESS').map(({ containerName = '' }) => containerName),
    ...links.map(({ to, alias }) => (to === alias ? to : `${to}:${alias}`)),
  ];
  return {
    ...container,
    definition: {
      ...container.definition,
      ...(completes(name, group) ? { essential: false } : {}),
      ...(dependsOn.length === 0
        ? {}
        : { dependsOn: dependsOn.map(({ containerName, condition }) => ({ containerName, condition })) }),
      ...(named.length === 0 ? {} : { links: [...new Set(named)] }),
    },
  };
}

function checkRestarts(group: readonly ComposeService[]): void {
  for (const { name, restart } of group) {
    if (restart === undefined) continue;
    const once = completes(name, group);
    const kept = restart.value === 'always' || restart.value === 'unless-stopped';
    if (kept === once)
      restart.field.refuse(
        once
          ? `others wait until it has ended well: write "no"`
          : `services run until they are stopped: write always or unless-stopped, not ${restart.value}; what runs once is depended on by service_completed_successfully`,
      );
  }
}
