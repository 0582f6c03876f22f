import type { ContainerDefinition, LinuxParameters, UlimitName } from '@aws-sdk/client-ecs';
import { cpus, known, memory, variables } from './compose-fields.ts';
import type { Field } from './fields.ts';

/** Member `name`, read of the field where there is one. */
export const given = <N extends string, T>(
  name: N,
  field: Field | undefined,
  read: (field: Field) => T,
): { readonly [K in N]?: T } => (field === undefined ? {} : ({ [name]: read(field) } as { readonly [K in N]?: T }));

/** Fields that ECS has under another name. */
export function simple(
  parts: ReadonlyMap<string, Field>,
  shell: Readonly<Record<string, string | undefined>>,
): Omit<Partial<ContainerDefinition>, 'name'> {
  const hosts = (field: Field): { hostname: string; ipAddress: string }[] =>
    (field.kind === 'map'
      ? [...field.members()].map(([name, member]) => `${name}=${member.text() ?? ''}`)
      : field.texts()
    ).map((text) => {
      const [, hostname = '', ipAddress = ''] = /^([^=:]+)[=:](.*)$/.exec(text) ?? [];
      return { hostname, ipAddress: ipAddress.replaceAll(/^\[|\]$/g, '') };
    });
  const limits = (field: Field): NonNullable<ContainerDefinition['ulimits']> =>
    [...field.members()].map(([name, member]) => {
      const both = member.kind === 'map' ? known(member, ['soft', 'hard']) : undefined;
      const limit = (one: Field | undefined): number => one?.integer(0, 999_999_999) ?? 0;
      return {
        name: name as UlimitName,
        softLimit: limit(both === undefined ? member : both.get('soft')),
        hardLimit: limit(both === undefined ? member : both.get('hard')),
      };
    });
  return {
    ...given('user', parts.get('user'), (field) => field.text() ?? ''),
    ...given('workingDirectory', parts.get('working_dir'), (field) => field.text() ?? ''),
    ...given('hostname', parts.get('hostname'), (field) => field.text() ?? ''),
    ...given('dockerLabels', parts.get('labels'), (field) => variables(field, shell)),
    ...given('privileged', parts.get('privileged'), (field) => field.truth()),
    ...given('readonlyRootFilesystem', parts.get('read_only'), (field) => field.truth()),
    ...given('pseudoTerminal', parts.get('tty'), (field) => field.truth()),
    ...given('interactive', parts.get('stdin_open'), (field) => field.truth()),
    ...given('dnsServers', parts.get('dns'), (field) => [...field.texts()]),
    ...given('dnsSearchDomains', parts.get('dns_search'), (field) => [...field.texts()]),
    ...given('extraHosts', parts.get('extra_hosts'), hosts),
    ...given('ulimits', parts.get('ulimits'), limits),
    ...given('systemControls', parts.get('sysctls'), (field) =>
      Object.entries(variables(field, shell)).map(([namespace, value]) => ({ namespace, value })),
    ),
  };
}

/** What only Linux has. */
export function linux(
  parts: ReadonlyMap<string, Field>,
  tmpfs: NonNullable<LinuxParameters['tmpfs']>,
): LinuxParameters | undefined {
  const add = parts.get('cap_add')?.texts() ?? [];
  const drop = parts.get('cap_drop')?.texts() ?? [];
  const shared = memory(parts.get('shm_size'));
  const init = parts.get('init')?.truth();
  const capabilities = {
    ...(add.length === 0 ? {} : { add: [...add] }),
    ...(drop.length === 0 ? {} : { drop: [...drop] }),
  };
  const found: LinuxParameters = {
    ...(add.length + drop.length === 0 ? {} : { capabilities }),
    ...(init === undefined ? {} : { initProcessEnabled: init }),
    ...(shared === undefined ? {} : { sharedMemorySize: shared }),
    ...(tmpfs.length === 0 ? {} : { tmpfs }),
  };
  return Object.keys(found).length === 0 ? undefined : found;
}

/** What `deploy` says. CPU in units of 1/1024 of a core, memory in MiB. */
export interface Deploy {
  readonly replicas?: Field;
  readonly cpu?: number;
  readonly cpuLimit?: number;
  readonly memory?: number;
  readonly memoryReservation?: number;
}

export function readDeploy(field: Field | undefined): Deploy {
  if (field === undefined) return {};
  const parts = known(field, ['mode', 'replicas', 'resources'], {
    endpoint_mode: 'services have a load balancer: remove it',
    labels: 'write labels of the service',
    placement: 'tasks are spread over the zones and hosts of the cluster: remove it',
    restart_policy: 'a service starts ended tasks again, more slowly each time: remove it',
    rollback_config: 'a deployment that fails goes back by itself: remove it',
    update_config: 'new tasks start before old ones end, and a deployment that fails goes back: remove it',
  });
  if ((parts.get('mode')?.text() ?? 'replicated') !== 'replicated')
    parts.get('mode')?.refuse('services have replicas: write replicated, or remove it');
  const resources = parts.get('resources');
  const kinds = resources === undefined ? new Map<string, Field>() : known(resources, ['limits', 'reservations']);
  const [limits, reservations] = ['limits', 'reservations'].map((kind) => {
    const of = kinds.get(kind);
    return of === undefined
      ? new Map<string, Field>()
      : known(of, ['cpus', 'memory'], {
          pids: 'hosts have a limit for tasks (ECS_TASK_PIDS_LIMIT of the agent): remove it',
          devices: 'tasks get no devices: remove it',
          generic_resources: 'tasks get no devices: remove it',
        });
  });
  const cpuLimit = cpus(limits?.get('cpus'));
  const cpu = cpus(reservations?.get('cpus'));
  const hard = memory(limits?.get('memory'));
  const soft = memory(reservations?.get('memory'));
  const replicas = parts.get('replicas');
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(cpuLimit === undefined ? {} : { cpuLimit }),
    ...(hard === undefined ? {} : { memory: hard }),
    ...(soft === undefined ? {} : { memoryReservation: soft }),
  };
}
