import type {
  RegisterContainerInstanceCommandInput,
  RegisterContainerInstanceCommandOutput,
} from '@aws-sdk/client-ecs';
import type { Call } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import {
  checkAttributeName,
  checkAttributeValue,
  clientError,
  clusterNotFound,
  customAttributesPerInstance,
  instanceView,
  invalidParameter,
  isCustomAttribute,
  parseCluster,
  parseMember,
  ecsTags,
  tasksByInstance,
} from '../../cluster/index.ts';
import {
  arns,
  type AttributeRecord,
  clusterKeys,
  clusterPartition,
  type ClusterRecord,
  type InstanceRecord,
  newId,
  toJson,
} from '../../state/index.ts';

import type { AgentControlOptions } from './options.ts';
import { ownedBy, requireOwner } from './owner.ts';

type Input = RegisterContainerInstanceCommandInput;
type Resources = Pick<InstanceRecord, 'cpu' | 'memory' | 'reservedTcpPorts' | 'reservedUdpPorts' | 'gpuIds'>;

/** `ecs.availability-zone`, which the control plane adds when the agent does not say. */
const zoneAttribute = 'ecs.availability-zone';

/**
 * RegisterContainerInstance: a new instance, or the same one again after its agent restarted (`containerInstanceArn`).
 * Every attribute comes back with an equal value, without which amazon-ecs-agent refuses to go on.
 * @throws ClusterNotFoundException, InvalidParameterException, ClientException, AccessDeniedException
 */
export async function registerContainerInstance(
  options: AgentControlOptions,
  input: Input,
  call: Call,
): Promise<Omit<RegisterContainerInstanceCommandOutput, '$metadata'>> {
  const home = { account: call.account, region: options.region };
  const cluster = parseCluster(input.cluster, home);
  const resources = resourcesOf(input.totalResources);
  const attributes = attributesOf(input, options.availabilityZone ?? `${options.region}a`);
  const knownId =
    input.containerInstanceArn === undefined
      ? undefined
      : parseMember('container-instance', input.containerInstanceArn, cluster, home);
  const machine = await options.machineOf?.(call, cluster);
  const newInstanceId = machine?.instance ?? newId(options.random);
  const instance = await transact(options.records, clusterPartition(call.account, cluster), async (tx) => {
    const found = await tx.get<ClusterRecord>(clusterKeys.cluster);
    if (found?.status !== 'ACTIVE') throw clusterNotFound();
    const now = options.clock.now();
    // A machine is one container instance for good: one that has registered, and whose agent has forgotten it, is the same again.
    const id = knownId ?? newInstanceId;
    const before =
      machine === undefined && knownId === undefined
        ? undefined
        : await tx.get<InstanceRecord>(clusterKeys.instance(id));
    const registered =
      knownId === undefined && before === undefined
        ? fresh(id, arns.containerInstance(options.region, call.account, cluster, id), call, now)
        : again(before, resources, call, id);
    const record: InstanceRecord = {
      ...registered,
      ...resources,
      ...ownedBy(call),
      attributes: withCustom(registered.attributes, withKnown(attributes, machine?.attributes)),
      tags: { ...registered.tags, ...ecsTags.parse(input.tags) },
      ...(input.versionInfo?.agentVersion === undefined ? {} : { agentVersion: input.versionInfo.agentVersion }),
      ...(input.versionInfo?.agentHash === undefined ? {} : { agentHash: input.versionInfo.agentHash }),
      ...(input.versionInfo?.dockerVersion === undefined ? {} : { dockerVersion: input.versionInfo.dockerVersion }),
      version: registered.version + 1,
    };
    tx.put(clusterKeys.instance(record.id), toJson(record));
    return record;
  });
  const ref = { account: call.account, cluster };
  const tasks = knownId === undefined ? [] : ((await tasksByInstance(options, ref)).get(knownId) ?? []);
  return { containerInstance: instanceView(instance, tasks, ['TAGS']) };
}

function fresh(id: string, arn: string, call: Call, now: number): Omit<InstanceRecord, keyof Resources> {
  return {
    id,
    arn,
    status: 'ACTIVE',
    agentConnected: false,
    connectivityChangedAt: now,
    registeredAt: now,
    attributes: [],
    tags: {},
    ownerArn: call.principal.arn,
    version: 0,
  };
}

function again(record: InstanceRecord | undefined, resources: Resources, call: Call, id: string): InstanceRecord {
  if (record === undefined || record.status === 'INACTIVE') {
    throw invalidParameter(`The container instance ${id} is not registered. Register without containerInstanceArn.`);
  }
  requireOwner(record, call);
  if (record.cpu !== resources.cpu || record.memory !== resources.memory) {
    throw clientError(
      `Container instance resource changes are not supported: registered with CPU ${record.cpu} and MEMORY ${record.memory}, ` +
        `now CPU ${resources.cpu} and MEMORY ${resources.memory}. Deregister the container instance and register it anew.`,
    );
  }
  const { strays: _strays, ...kept } = record;
  // An agent that could ask its engine for its resources has one that works.
  return { ...kept, runtimeImpaired: false, agentConnected: record.connectionId !== undefined };
}

function resourcesOf(given: Input['totalResources']): Resources {
  const byName = new Map((given ?? []).map((resource) => [resource.name, resource]));
  const integer = (name: string): number => {
    const value = byName.get(name)?.integerValue;
    if (value === undefined || !Number.isInteger(value) || value <= 0) {
      throw invalidParameter(`totalResources must hold ${name} as a positive integer.`);
    }
    return value;
  };
  const ports = (name: string): number[] =>
    (byName.get(name)?.stringSetValue ?? []).map((text) => {
      const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
      if (port < 1 || port > 65_535) throw invalidParameter(`totalResources ${name}: '${text}' is not a port.`);
      return port;
    });
  return {
    cpu: integer('CPU'),
    memory: integer('MEMORY'),
    reservedTcpPorts: ports('PORTS'),
    reservedUdpPorts: ports('PORTS_UDP'),
    gpuIds: byName.get('GPU')?.stringSetValue ?? [],
  };
}

function attributesOf(input: Input, zone: string): AttributeRecord[] {
  const attributes = new Map<string, AttributeRecord>();
  for (const { name, value } of input.attributes ?? []) {
    if (name === undefined || name === '') throw invalidParameter('Every attribute needs a name.');
    if (isCustomAttribute(name)) checkAttributeName(name);
    if (value !== undefined && (isCustomAttribute(name) || name === zoneAttribute)) checkAttributeValue(name, value);
    attributes.set(name, value === undefined ? { name } : { name, value });
  }
  if (!attributes.has(zoneAttribute)) attributes.set(zoneAttribute, { name: zoneAttribute, value: zone });
  return [...attributes.values()];
}

/** What the agent says, and what is known of its machine, which counts. */
const withKnown = (
  said: readonly AttributeRecord[],
  known: Readonly<Record<string, string>> = {},
): readonly AttributeRecord[] => [
  ...said.filter(({ name }) => !Object.hasOwn(known, name)),
  ...Object.entries(known).map(([name, value]) => ({ name, value })),
];

/**
 * What the agent says now, and what PutAttributes wrote; what earlier agents said of themselves does not stay.
 * @throws InvalidParameterException when these are too many
 */
function withCustom(had: readonly AttributeRecord[], now: readonly AttributeRecord[]): AttributeRecord[] {
  const names = new Set(now.map((attribute) => attribute.name));
  const all = [...now, ...had.filter(({ name }) => !names.has(name) && isCustomAttribute(name))];
  const custom = all.filter(({ name }) => isCustomAttribute(name)).map(({ name }) => name);
  if (custom.length <= customAttributesPerInstance) return all;
  throw invalidParameter(
    `A container instance can have at most ${customAttributesPerInstance} custom attributes, these are ${custom.length}: ${custom.slice(0, 20).join(', ')}. ` +
      'Name fewer, or take some away with DeleteAttributes.',
  );
}
