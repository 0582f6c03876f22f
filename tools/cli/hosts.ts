import { type ContainerInstance, type ECSClient, paginateListContainerInstances } from '@aws-sdk/client-ecs';
import { ecsClient } from './aws-client.ts';
import { instancesIn } from './contents.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson, table } from './output.ts';
import { askServer } from './own-routes.ts';

interface Reclaimed {
  readonly containerInstanceArn: string;
  readonly reclaimedAt: string;
  readonly goneAt: string;
}

/** `slipway hosts reclaim HOST`: a host that was joined with `--spot` is taken back; its tasks have two minutes. */
export async function reclaimHost(
  host: string,
  options: { readonly cluster: string; readonly output: string },
): Promise<void> {
  const output = parseOutput(options.output);
  const id = await instanceId(ecsClient(), options.cluster, host);
  const told = (await askServer('POST', `/slipway/hosts/${options.cluster}/${id}/reclaim`)) as Reclaimed;
  if (output === 'json') {
    printJson(told);
    return;
  }
  print(`${told.containerInstanceArn}`);
  print(
    `gets no more tasks and is to go at ${told.goneAt}. Its tasks of services run until their successors are healthy,`,
  );
  print('the others were told to stop. It stays DRAINING; when it stays after all:');
  print(
    `aws ecs update-container-instances-state --cluster ${options.cluster} --container-instances ${id} --status ACTIVE`,
  );
}

/** The container instance that somebody means by its ARN, its id, or the beginning of its id where only one begins so. */
async function instanceId(client: Pick<ECSClient, 'send'>, cluster: string, host: string): Promise<string> {
  const wanted = host.split('/').at(-1) ?? '';
  const found: string[] = [];
  for await (const { containerInstanceArns = [] } of paginateListContainerInstances(
    { client: client as ECSClient },
    { cluster },
  ))
    found.push(...containerInstanceArns.map(idOf).filter((id) => wanted !== '' && id.startsWith(wanted)));
  const [id] = found;
  if (id === undefined)
    throw new CliError(
      `there is no container instance ${host} in the cluster ${cluster}: aws ecs list-container-instances --cluster ${cluster} shows them`,
    );
  if (found.length > 1) throw new CliError(`${host} may be each of ${found.join(', ')}: say more of the id`, 2);
  return id;
}

const idOf = (arn: NonNullable<ContainerInstance['containerInstanceArn']>): string => arn.split('/').at(-1) ?? '';

/** A host as `slipway hosts list` lists it. CPU in units of 1/1024 of a core, memory in MiB. */
export interface HostRow {
  readonly host: string;
  readonly status: string;
  readonly connected: boolean;
  readonly tasks: number;
  readonly pending: number;
  readonly cpu: Resource;
  readonly memory: Resource;
  readonly zone?: string;
  readonly architecture?: string;
  readonly agent: string;
  readonly reason?: string;
}

interface Resource {
  readonly free: number;
  readonly total: number;
}

/** `slipway hosts list`: the hosts of a cluster, with what is free on them. */
export async function listHosts(options: { readonly cluster: string; readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster } = options;
  const rows = (await instancesIn(ecsClient(), cluster)).map(hostRow);
  if (output === 'json') return printJson(rows);
  print(
    rows.length === 0
      ? `the cluster ${cluster} has no hosts: slipway agent joins this machine, tools/machines.md says how others do`
      : hostsTable(rows),
  );
}

/** What of a container instance is listed. */
export function hostRow(instance: ContainerInstance): HostRow {
  const { registeredResources = [], remainingResources = [], attributes = [] } = instance;
  const amount = (of: typeof registeredResources, name: string): number =>
    of.find((one) => one.name === name)?.integerValue ?? 0;
  const resource = (name: string): Resource => ({
    free: amount(remainingResources, name),
    total: amount(registeredResources, name),
  });
  const attribute = (name: string): string | undefined => attributes.find((one) => one.name === name)?.value;
  const zone = attribute('ecs.availability-zone');
  const architecture = attribute('ecs.cpu-architecture');
  return {
    host: idOf(instance.containerInstanceArn ?? ''),
    status: instance.status ?? '',
    connected: instance.agentConnected === true,
    tasks: instance.runningTasksCount ?? 0,
    pending: instance.pendingTasksCount ?? 0,
    cpu: resource('CPU'),
    memory: resource('MEMORY'),
    ...(zone === undefined ? {} : { zone }),
    ...(architecture === undefined ? {} : { architecture }),
    agent: instance.versionInfo?.agentVersion ?? '',
    ...(instance.statusReason === undefined ? {} : { reason: instance.statusReason }),
  };
}

/** The table of hosts. */
export const hostsTable = (rows: readonly HostRow[]): string =>
  table(
    ['HOST', 'STATUS', 'AGENT', 'TASKS', 'CPU FREE', 'MEMORY FREE (MIB)', 'ZONE', 'ARCHITECTURE', 'REASON'],
    rows.map((row) => [
      row.host,
      row.status,
      row.connected ? 'connected' : 'away',
      row.pending === 0 ? String(row.tasks) : `${row.tasks} (+${row.pending})`,
      `${row.cpu.free}/${row.cpu.total}`,
      `${row.memory.free}/${row.memory.total}`,
      row.zone ?? '',
      row.architecture ?? '',
      row.reason ?? '',
    ]),
  );
