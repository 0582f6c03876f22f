import type Docker from 'dockerode';

import { containerName } from '../create-options.ts';
import { labels } from '../docker.ts';
import type { AgentContainer } from '../../wire/index.ts';
import { ownContainers } from '../pause.ts';
import type { SavedTask } from '../saved-task.ts';

/** A task of this host as the metadata endpoint sees it. */
export interface LiveTask {
  readonly saved: SavedTask;
  readonly status: 'PENDING' | 'RUNNING' | 'STOPPED';
  /** What Docker last said of the task's containers, by their names in the task. */
  readonly inspected: ReadonlyMap<string, Docker.ContainerInspectInfo>;
  /** How many bytes its files take, where that is counted. */
  readonly storage?: number | undefined;
}

/** What is true of every task of this host. */
export interface HostFacts {
  readonly cluster: string;
  readonly availabilityZone?: string;
}

/** Version 4 says more of a container than version 3. */
export type MetadataVersion = 'v3' | 'v4';

/** `/v4/<id>/task`: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html */
export function taskMetadata(task: LiveTask, host: HostFacts, version: MetadataVersion): object {
  const { saved } = task;
  return {
    Cluster: host.cluster,
    TaskARN: saved.task.arn,
    Family: saved.task.family,
    Revision: saved.task.version,
    DesiredStatus: saved.desired,
    KnownStatus: task.status,
    ...(saved.task.cpu === undefined && saved.task.memory === undefined
      ? {}
      : { Limits: { ...given('CPU', saved.task.cpu), ...given('Memory', saved.task.memory) } }),
    ...given('PullStartedAt', isoTime(saved.pullStartedAt)),
    ...given('PullStoppedAt', isoTime(saved.pullStoppedAt)),
    ...given('AvailabilityZone', host.availabilityZone),
    ...(version === 'v4' ? given('LaunchType', saved.task.launchType) : {}),
    ...(version === 'v4' ? storageOf(task) : {}),
    ...(version === 'v4' ? given('ServiceName', saved.task.serviceName) : {}),
    // What Docker has not made yet has nothing to say.
    Containers: ownContainers(saved.task).flatMap((container) => containerMetadata(task, container, version) ?? []),
  };
}

/** MiB of its ephemeral storage that a task uses and has. */
function storageOf({ saved, storage }: LiveTask): object {
  const { ephemeralStorage: size } = saved.task;
  if (size === undefined || storage === undefined) return {};
  return { EphemeralStorageMetrics: { Utilized: Math.ceil(storage / 2 ** 20), Reserved: size * 1024 } };
}

/** `/v4/<id>`; undefined while Docker has no such container. */
export function containerMetadata(
  task: LiveTask,
  container: AgentContainer,
  version: MetadataVersion,
): object | undefined {
  const info = task.inspected.get(container.name);
  if (info === undefined) return undefined;
  const over = info.State.Status === 'exited' || info.State.Status === 'dead';
  return {
    DockerId: info.Id,
    Name: container.name,
    DockerName: containerName(task.saved.task, container.name),
    Image: container.image,
    ImageID: info.Image,
    ...portsOf(info),
    Labels: Object.fromEntries(Object.entries(info.Config.Labels).filter(([name]) => name !== labels.agent)),
    DesiredStatus: task.saved.desired,
    KnownStatus: over ? 'STOPPED' : info.State.Status === 'created' ? 'CREATED' : 'RUNNING',
    ...(over ? { ExitCode: info.State.ExitCode } : {}),
    Limits: { CPU: container.cpu, Memory: container.memory },
    CreatedAt: info.Created,
    ...given('StartedAt', realTime(info.State.StartedAt)),
    ...given('FinishedAt', realTime(info.State.FinishedAt)),
    Type: 'NORMAL',
    ...(info.State.Health === undefined ? {} : { Health: { status: info.State.Health.Status.toUpperCase() } }),
    ...(version === 'v4' ? { LogDriver: info.HostConfig.LogConfig?.Type } : {}),
    ...(version === 'v4' && container.restartPolicy?.enabled === true
      ? { RestartCount: task.saved.restarts?.[container.name]?.count ?? 0 }
      : {}),
    Networks: [...interfacesOf(task), ...networksOf(info)],
  };
}

const interfacesOf = ({ saved: { task } }: LiveTask): object[] =>
  task.elasticNetworkInterfaces.map(({ ipv4Addresses, macAddress, privateDnsName }) => ({
    NetworkMode: 'awsvpc',
    IPv4Addresses: ipv4Addresses.map(({ privateAddress }) => privateAddress),
    AttachmentIndex: 0,
    MACAddress: macAddress,
    PrivateDNSName: privateDnsName,
  }));

const networksOf = (info: Docker.ContainerInspectInfo): object[] =>
  Object.entries(info.NetworkSettings.Networks).map(([mode, network]) => ({
    NetworkMode: mode,
    IPv4Addresses: network.IPAddress === '' ? [] : [network.IPAddress],
  }));

function portsOf(info: Docker.ContainerInspectInfo): object {
  const ports = Object.entries(info.NetworkSettings.Ports ?? {}).flatMap(([key, bound]) => {
    const [port, protocol] = key.split('/');
    const bindings: readonly { HostIp: string; HostPort: string }[] = bound ?? [];
    return bindings.map(({ HostIp, HostPort }) => ({
      ContainerPort: Number(port),
      Protocol: protocol,
      HostPort: Number(HostPort),
      HostIp,
    }));
  });
  return ports.length === 0 ? {} : { Ports: ports };
}

const isoTime = (time: number | undefined): string | undefined =>
  time === undefined ? undefined : new Date(time).toISOString();

/** Docker writes year 1 for what has not happened. */
const realTime = (text: string): string | undefined => (Date.parse(text) > 0 ? text : undefined);

const given = <Name extends string, T>(name: Name, value: T | undefined): { [N in Name]?: T } =>
  value === undefined ? {} : ({ [name]: value } as { [N in Name]?: T });
