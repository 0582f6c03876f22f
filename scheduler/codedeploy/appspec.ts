// `yaml` (eemeli): no dependencies, some 100 million downloads a week, tests against the YAML suite, and the only one whose nodes know
// their place in the text, so that an error has a line.
import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from 'yaml';

import { refuse } from './errors.ts';

/** Lifecycle events that an AppSpec may name hooks for, in CodeDeploy's order. */
export const hookEvents = [
  'BeforeInstall',
  'AfterInstall',
  'AfterAllowTestTraffic',
  'BeforeAllowTraffic',
  'AfterAllowTraffic',
] as const;
export type HookEvent = (typeof hookEvents)[number];

/** What an AppSpec of ECS says (CodeDeploy user guide, "AppSpec file structure"). */
export interface AppSpec {
  readonly taskDefinition: string;
  readonly containerName: string;
  readonly containerPort: number;
  readonly platformVersion?: string;
  readonly network?: {
    readonly subnets: readonly string[];
    readonly securityGroups: readonly string[];
    readonly assignPublicIp: string;
  };
  readonly providers?: readonly { readonly capacityProvider: string; readonly base: number; readonly weight: number }[];
  readonly hooks: readonly { readonly event: HookEvent; readonly target: string; readonly where: string }[];
}

/**
 * Reads an AppSpec, JSON or YAML. Names of members are taken in whatever case, as CodeDeploy does.
 * @throws InvalidRevisionException with the line and the member
 */
export function parseAppSpec(text: string): AppSpec {
  const lines = new LineCounter();
  const reader = new Reader(lines);
  let root: Node | null;
  try {
    // Keys that are there twice are found below, in less than quadratic time.
    const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, merge: false, logLevel: 'silent' });
    const [error] = document.errors;
    if (error !== undefined) throw broken(lines.linePos(error.pos[0]).line, firstLine(error.message));
    root = document.contents;
  } catch (error) {
    // What is nested so deep that it cannot be read is no AppSpec.
    if (error instanceof RangeError) throw broken(1, 'it is nested too deep');
    throw error;
  }
  const { version, resources, hooks } = reader.members(root, '', ['version', 'resources', 'hooks']);
  if (reader.number(version, 'version') !== 0) throw reader.bad(version, 'version', 'must be 0.0');
  return { ...readService(reader, resources), hooks: readHooks(reader, hooks) };
}

const firstLine = (message: string): string => message.split('\n')[0] ?? '';

const broken = (line: number, message: string): Error =>
  refuse('InvalidRevision', `The AppSpec is not valid: line ${line}: ${message}.`);

/** What is read of a document, with its place in every refusal. */
class Reader {
  readonly #lines: LineCounter;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  line(node: Node | null | undefined): number {
    return this.#lines.linePos(node?.range?.[0] ?? 0).line;
  }

  bad(node: Node | null | undefined, member: string, message: string): Error {
    return broken(this.line(node), `${member === '' ? 'the AppSpec' : member} ${message}`);
  }

  /** The members of a map, by name in small letters. @param where what the map is, for people */
  members<Name extends string>(
    node: Node | null | undefined,
    where: string,
    names: readonly Name[],
  ): Partial<Record<Name, Node>> {
    const found: Partial<Record<Name, Node>> = {};
    for (const [key, value, at] of this.#pairs(node, where)) {
      const name = names.find((one) => one === key.toLowerCase());
      const member = where === '' ? key : `${where}.${key}`;
      if (name === undefined) throw this.bad(at, member, 'is not known: remove it');
      if (found[name] !== undefined) throw this.bad(at, member, 'is there twice');
      if (value !== null) found[name] = value;
    }
    return found;
  }

  /** The one member of a map. */
  only(node: Node, where: string): readonly [name: string, value: Node | null] {
    const [first, ...others] = this.#pairs(node, where);
    if (first === undefined || others.length > 0) throw this.bad(node, where, 'must have exactly one member');
    return [first[0], first[1]];
  }

  #pairs(node: Node | null | undefined, where: string): (readonly [key: string, value: Node | null, at: Node])[] {
    if (!isMap(node)) throw this.bad(node, where, 'must be a map of members');
    return (node as YAMLMap<Node, Node | null>).items.map(({ key, value }) => {
      if (!isScalar(key)) throw this.bad(node, where, 'must have texts as names of members');
      return [String(key.value), value, key] as const;
    });
  }

  list(node: Node | undefined, where: string): readonly Node[] {
    if (!isSeq(node)) throw this.bad(node, where, 'must be a list');
    return node.items as Node[];
  }

  text(node: Node | null | undefined, where: string, parent?: Node): string {
    const value: unknown = isScalar(node) ? node.value : undefined;
    if (typeof value !== 'string' || value === '')
      throw this.bad(node ?? parent, where, node === undefined || node === null ? 'is missing' : 'must be a text');
    return value;
  }

  number(node: Node | undefined, where: string, parent?: Node): number {
    const value: unknown = isScalar(node) ? node.value : undefined;
    const number = typeof value === 'string' && /^\d+(\.0+)?$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isInteger(number))
      throw this.bad(node ?? parent, where, node === undefined ? 'is missing' : 'must be a whole number');
    return number;
  }
}

function readService(reader: Reader, resources: Node | undefined): Omit<AppSpec, 'hooks'> {
  const [first, ...others] = reader.list(resources, 'Resources');
  if (first === undefined || others.length > 0)
    throw reader.bad(others[0] ?? resources, 'Resources', 'must have exactly one item');
  const [name, resource] = reader.only(first, 'Resources[0]');
  const where = `Resources[0].${name}`;
  const { type, properties } = reader.members(resource, where, ['type', 'properties']);
  if (reader.text(type, `${where}.Type`, first) !== 'AWS::ECS::Service')
    throw reader.bad(type, `${where}.Type`, 'must be AWS::ECS::Service');
  const at = `${where}.Properties`;
  const { taskdefinition, loadbalancerinfo, platformversion, networkconfiguration, capacityproviderstrategy } =
    reader.members(properties, at, [
      'taskdefinition',
      'loadbalancerinfo',
      'platformversion',
      'networkconfiguration',
      'capacityproviderstrategy',
    ]);
  const balancing = `${at}.LoadBalancerInfo`;
  const { containername, containerport } = reader.members(loadbalancerinfo ?? properties, balancing, [
    'containername',
    'containerport',
  ]);
  return {
    taskDefinition: reader.text(taskdefinition, `${at}.TaskDefinition`, properties),
    containerName: reader.text(containername, `${balancing}.ContainerName`, loadbalancerinfo),
    containerPort: reader.number(containerport, `${balancing}.ContainerPort`, loadbalancerinfo),
    ...(platformversion === undefined
      ? {}
      : { platformVersion: reader.text(platformversion, `${at}.PlatformVersion`) }),
    ...(networkconfiguration === undefined ? {} : { network: readNetwork(reader, networkconfiguration, at) }),
    ...(capacityproviderstrategy === undefined
      ? {}
      : { providers: readProviders(reader, capacityproviderstrategy, `${at}.CapacityProviderStrategy`) }),
  };
}

function readNetwork(reader: Reader, node: Node, at: string): NonNullable<AppSpec['network']> {
  const { awsvpcconfiguration } = reader.members(node, `${at}.NetworkConfiguration`, ['awsvpcconfiguration']);
  const where = `${at}.NetworkConfiguration.AwsvpcConfiguration`;
  const { subnets, securitygroups, assignpublicip } = reader.members(awsvpcconfiguration ?? node, where, [
    'subnets',
    'securitygroups',
    'assignpublicip',
  ]);
  const texts = (list: Node | undefined, name: string): string[] =>
    list === undefined ? [] : reader.list(list, `${where}.${name}`).map((one) => reader.text(one, `${where}.${name}`));
  return {
    subnets: texts(subnets, 'Subnets'),
    securityGroups: texts(securitygroups, 'SecurityGroups'),
    assignPublicIp: assignpublicip === undefined ? 'DISABLED' : reader.text(assignpublicip, `${where}.AssignPublicIp`),
  };
}

const readProviders = (reader: Reader, node: Node, at: string): NonNullable<AppSpec['providers']> =>
  reader.list(node, at).map((one, place) => {
    const where = `${at}[${place}]`;
    const { capacityprovider, base, weight } = reader.members(one, where, ['capacityprovider', 'base', 'weight']);
    return {
      capacityProvider: reader.text(capacityprovider, `${where}.CapacityProvider`, one),
      base: base === undefined ? 0 : reader.number(base, `${where}.Base`),
      weight: weight === undefined ? 0 : reader.number(weight, `${where}.Weight`),
    };
  });

function readHooks(reader: Reader, node: Node | undefined): AppSpec['hooks'] {
  if (node === undefined) return [];
  const seen = new Set<string>();
  return reader.list(node, 'Hooks').map((one, place) => {
    const where = `Hooks[${place}]`;
    const [name, value] = reader.only(one, where);
    const event = hookEvents.find((known) => known === name);
    if (event === undefined)
      throw reader.bad(one, `${where}.${name}`, `is no event with a hook: use ${hookEvents.join(', ')}`);
    if (seen.has(event)) throw reader.bad(one, `${where}.${name}`, 'is there twice: an event has one hook');
    seen.add(event);
    return {
      event,
      target: reader.text(value, `${where}.${name}`, one),
      where: `line ${reader.line(one)}: ${where}.${name}`,
    };
  });
}
