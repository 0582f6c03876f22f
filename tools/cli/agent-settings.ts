import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import {
  type AgentCredentials,
  type AgentOptions,
  type PullBehavior,
  usualImageCleanup,
} from '@slipway/scheduler/hosts/agent';
import { groupAttribute } from '@slipway/scheduler/state';
import { z } from 'zod';
import { joinedCredentials } from './agent-join.ts';
import { CliError } from './errors.ts';

/** Where hosts of ECS keep their agent's variables: `NAME=value` lines, `#` for comments. */
export const configFile = '/etc/ecs/ecs.config';

/** The options of `slipway agent` that variables can set as well. */
export interface AgentFlags {
  readonly endpoint?: string;
  readonly cluster?: string;
  readonly data?: string;
  readonly zone?: string;
  /** `NAME=VALUE`. */
  readonly attribute?: readonly string[];
  /** `on` or `off`. */
  readonly fargate?: string;
  /** A runtime of the Docker engine. */
  readonly isolation?: string;
  readonly spot?: boolean;
  /** A file of variables; it must be there when it is named. Default {@link configFile}. */
  readonly config?: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** What the agent is set up with, and variables that are meant for one and change nothing here. */
export interface AgentSettings {
  readonly options: Pick<
    AgentOptions,
    | 'endpoint'
    | 'region'
    | 'cluster'
    | 'credentials'
    | 'dataDir'
    | 'attributes'
    | 'tags'
    | 'availabilityZone'
    | 'reservedMemory'
    | 'stopTimeout'
    | 'cleanupAfter'
    | 'taskPidsLimit'
    | 'hostPorts'
    | 'pullBehavior'
    | 'pullInactivity'
    | 'imageCleanup'
    | 'fargate'
    | 'isolation'
    | 'spot'
  >;
  readonly ignored: readonly string[];
}

/** Every variable that is acted on. */
const known: ReadonlySet<string> = new Set([
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'ECS_BACKEND_HOST',
  'ECS_CLUSTER',
  'ECS_CONTAINER_INSTANCE_TAGS',
  'ECS_CONTAINER_STOP_TIMEOUT',
  'ECS_DATADIR',
  'ECS_DISABLE_IMAGE_CLEANUP',
  'ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION',
  'ECS_IMAGE_CLEANUP_INTERVAL',
  'ECS_IMAGE_MINIMUM_CLEANUP_AGE',
  'ECS_IMAGE_PULL_BEHAVIOR',
  'ECS_IMAGE_PULL_INACTIVITY_TIMEOUT',
  'ECS_INSTANCE_ATTRIBUTES',
  'ECS_DYNAMIC_HOST_PORT_RANGE',
  'ECS_NUM_IMAGES_DELETE_PER_CYCLE',
  'ECS_RESERVED_MEMORY',
  'SLIPWAY_FARGATE',
  'SLIPWAY_ISOLATION',
  'SLIPWAY_JOIN',
  'SLIPWAY_SPOT',
  'ECS_TASK_PIDS_LIMIT',
]);

const zoneAttribute = 'ecs.availability-zone';
const pullBehaviors: readonly PullBehavior[] = ['default', 'always', 'once', 'prefer-cached'];

/**
 * Joins what the command line, the environment and the file say, in this order of precedence. The variables are those of
 * amazon-ecs-agent, so that a host's file serves either agent.
 * @throws CliError that names the variable or option that makes no sense
 */
export async function agentSettings(flags: AgentFlags, environment: Variables): Promise<AgentSettings> {
  const file = await readVariables(flags.config);
  /** An empty variable says nothing. */
  const variable = (name: string): string | undefined => environment[name] || file[name] || undefined;
  const attributes = {
    ...jsonStrings('ECS_INSTANCE_ATTRIBUTES', variable('ECS_INSTANCE_ATTRIBUTES')),
    ...flagAttributes(flags.attribute ?? []),
  };
  const { [zoneAttribute]: zoneAmongThem, ...custom } = attributes;
  const owned = Object.keys(custom).find(
    (name) => name !== groupAttribute && /^(?:ecs|com\.amazonaws\.ecs|slipway)\./.test(name),
  );
  if (owned !== undefined)
    throw new CliError(
      `the attribute ${owned} is not yours to set: the agent says itself what begins with ecs., com.amazonaws.ecs. or slipway. ` +
        `(the zone, ${zoneAttribute}, and the group, ${groupAttribute}, apart). Choose another name`,
      2,
    );
  const tags = jsonStrings('ECS_CONTAINER_INSTANCE_TAGS', variable('ECS_CONTAINER_INSTANCE_TAGS'));
  const ignored = [
    ...Object.keys(file).filter((name) => !known.has(name)),
    ...Object.keys(environment).filter((name) => name.startsWith('ECS_') && !known.has(name)),
  ];
  const endpoint = endpointOf(flags.endpoint, environment, file);
  // Of a machine that an Auto Scaling group has made.
  const right = variable('SLIPWAY_JOIN');
  const options: AgentSettings['options'] = {
    endpoint,
    region: variable('AWS_REGION') ?? variable('AWS_DEFAULT_REGION') ?? 'us-east-1',
    cluster: flags.cluster ?? variable('ECS_CLUSTER') ?? 'default',
    credentials:
      right === undefined
        ? credentialsOf(
            environment.AWS_ACCESS_KEY_ID ? environment : file,
            'the policy AmazonEC2ContainerServiceforEC2Role',
          )
        : joinedCredentials(endpoint, right),
    dataDir: folderOf(flags.data, variable('ECS_DATADIR'), environment),
    attributes: custom,
    tags,
    ...optional('availabilityZone', flags.zone ?? zoneAmongThem),
    ...optional('hostPorts', portRange('ECS_DYNAMIC_HOST_PORT_RANGE', variable('ECS_DYNAMIC_HOST_PORT_RANGE'))),
    ...optional('taskPidsLimit', integer('ECS_TASK_PIDS_LIMIT', variable('ECS_TASK_PIDS_LIMIT'), 1, 4_194_304)),
    ...optional('reservedMemory', mebibytes('ECS_RESERVED_MEMORY', variable('ECS_RESERVED_MEMORY'))),
    ...optional('stopTimeout', duration('ECS_CONTAINER_STOP_TIMEOUT', variable('ECS_CONTAINER_STOP_TIMEOUT'))),
    ...optional(
      'cleanupAfter',
      duration('ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION', variable('ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION')),
    ),
    ...optional('pullBehavior', behaviorOf(variable('ECS_IMAGE_PULL_BEHAVIOR'))),
    ...optional(
      'pullInactivity',
      duration('ECS_IMAGE_PULL_INACTIVITY_TIMEOUT', variable('ECS_IMAGE_PULL_INACTIVITY_TIMEOUT')),
    ),
    ...optional('imageCleanup', cleanupOf(variable)),
    ...optional('fargate', offered(flags.fargate, variable('SLIPWAY_FARGATE'))),
    ...optional('isolation', flags.isolation ?? variable('SLIPWAY_ISOLATION')),
    ...optional('spot', flags.spot ?? spotOf(variable('SLIPWAY_SPOT'))),
  };
  return { options, ignored: [...new Set(ignored)].sort() };
}

/** Where the state of what runs on a host goes by itself: the same folder whatever folder it is started in. */
export function stateFolder(
  environment: Variables,
  what: 'agent' | 'balancer',
  root = process.getuid?.() === 0,
  home = homedir(),
): string {
  if (root) return join('/var/lib/slipway', what);
  const state = environment.XDG_STATE_HOME ?? '';
  // The specification of these folders has relative ones ignored.
  return join(isAbsolute(state) ? state : join(home, '.local', 'state'), 'slipway', what);
}

async function readVariables(named: string | undefined): Promise<Record<string, string>> {
  const path = named ?? configFile;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new CliError(`cannot read ${path}: ${(error as Error).message}`, 2);
  }
  const variables: Record<string, string> = {};
  for (const [index, line] of text.split('\n').entries()) {
    const said = line.trim();
    if (said === '' || said.startsWith('#')) continue;
    const [, name, value = ''] = /^([A-Za-z_]\w*)=(.*)$/s.exec(said) ?? [];
    if (name === undefined) throw new CliError(`${path}, line ${index + 1}: write NAME=value`, 2);
    // As systemd, which reads such files too, takes quotes away; JSON begins with none.
    variables[name] =
      /^"(.*)"$|^'(.*)'$/s
        .exec(value)
        ?.slice(1)
        .find((inner) => inner !== undefined) ?? value;
  }
  return variables;
}

/** Where the server is, by an option, the environment and a file, in this order. @throws CliError when none says it */
export function endpointOf(flag: string | undefined, environment: Variables, file: Variables): string {
  const said =
    flag ??
    [environment, file]
      .flatMap(({ AWS_ENDPOINT_URL, ECS_BACKEND_HOST }) => [AWS_ENDPOINT_URL, ECS_BACKEND_HOST])
      .find((address) => address);
  if (said === undefined)
    throw new CliError('name the server with --endpoint, AWS_ENDPOINT_URL or ECS_BACKEND_HOST', 2);
  // As amazon-ecs-agent reads ECS_BACKEND_HOST.
  const address = /^[a-z]+:\/\//i.test(said) ? said : `https://${said}`;
  if (!/^https?:$/.test(URL.parse(address)?.protocol ?? ''))
    throw new CliError(`${said} is not the address of a server: name one like https://slipway.example.com`, 2);
  return address;
}

/**
 * Both from one place: half a pair and a token of another session sign nothing.
 * @param whose what the principal needs, for who has set none
 */
export function credentialsOf(from: Variables, whose: string): () => Promise<AgentCredentials> {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = from;
  if (!accessKeyId || !secretAccessKey)
    throw new CliError(`set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of a principal with ${whose}`, 2);
  return () => Promise.resolve({ accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) });
}

function folderOf(flag: string | undefined, variable: string | undefined, environment: Variables): string {
  if (flag !== undefined) return resolve(flag);
  if (variable === undefined) return stateFolder(environment, 'agent');
  if (!isAbsolute(variable)) throw new CliError(`ECS_DATADIR must be an absolute path, not ${variable}`, 2);
  return variable;
}

function flagAttributes(flags: readonly string[]): Record<string, string> {
  const pairs = flags.map((flag): [string, string] => {
    const [, name, value = ''] = /^([^=]+)=(.+)$/s.exec(flag) ?? [];
    if (name === undefined) throw new CliError(`--attribute ${flag}: write NAME=VALUE`, 2);
    return [name, value];
  });
  const names = pairs.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new CliError(`--attribute ${twice} is given twice`, 2);
  return Object.fromEntries(pairs);
}

function jsonStrings(name: string, text: string | undefined): Record<string, string> {
  if (text === undefined) return {};
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(text));
  } catch {
    throw new CliError(`${name} must be a JSON object of strings, like {"stack":"blue"}, not ${text}`, 2);
  }
}

/** Go's durations, as amazon-ecs-agent reads them: `90s`, `1h30m`. @returns milliseconds */
function duration(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const whole = parts.map(([part]) => part).join('') === text;
  const ms = parts.reduce((sum, [, count = '0', unit = 's']) => sum + Number(count) * (units[unit] ?? 0), 0);
  if (!whole || ms < 1_000 || ms > 30 * 24 * 3_600_000)
    throw new CliError(`${name} must be a duration from 1s to 720h, like 90s, 10m or 1h30m, not ${text}`, 2);
  return ms;
}

function mebibytes(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^\d{1,8}$/.test(text)) throw new CliError(`${name} must be a number of MiB, not ${text}`, 2);
  return Number(text);
}

function portRange(name: string, text: string | undefined): AgentOptions['hostPorts'] {
  if (text === undefined) return undefined;
  const [, first, last] = (/^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (first === undefined || last === undefined || first < 1 || last > 65_535 || first > last)
    throw new CliError(`${name} must be FIRST-LAST within 1 to 65535, like 40000-50000, not ${text}`, 2);
  return { first, last };
}

function integer(name: string, text: string | undefined, from: number, to: number): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (!(value >= from && value <= to))
    throw new CliError(`${name} must be a number from ${from} to ${to}, not ${text}`, 2);
  return value;
}

function behaviorOf(text: string | undefined): PullBehavior | undefined {
  const found = pullBehaviors.find((behavior) => behavior === text);
  if (text !== undefined && found === undefined)
    throw new CliError(`ECS_IMAGE_PULL_BEHAVIOR must be one of ${pullBehaviors.join(', ')}, not ${text}`, 2);
  return found;
}

/** Whether the host offers itself to Fargate; the variable has the words of the server's setting. */
function offered(flag: string | undefined, variable: string | undefined): 'auto' | 'off' | undefined {
  if (flag !== undefined && flag !== 'on' && flag !== 'off') throw new CliError(`--fargate ${flag}: say on or off`, 2);
  if (variable !== undefined && variable !== 'auto' && variable !== 'off')
    throw new CliError(`SLIPWAY_FARGATE must be auto or off, not ${variable}`, 2);
  return flag === undefined ? variable : flag === 'on' ? 'auto' : 'off';
}

/** When images go; undefined where nothing is said, so that what is usual holds. */
function cleanupOf(variable: (name: string) => string | undefined): AgentOptions['imageCleanup'] {
  const disabled = variable('ECS_DISABLE_IMAGE_CLEANUP');
  if (disabled !== undefined && disabled !== 'true' && disabled !== 'false')
    throw new CliError(`ECS_DISABLE_IMAGE_CLEANUP must be true or false, not ${disabled}`, 2);
  const time = (name: string): number | undefined => duration(name, variable(name));
  const said = {
    ...optional('every', time('ECS_IMAGE_CLEANUP_INTERVAL')),
    ...optional('minimumAge', time('ECS_IMAGE_MINIMUM_CLEANUP_AGE')),
    ...optional('perCycle', integer(perCycle, variable(perCycle), 1, 10_000)),
  };
  if (disabled === 'true') return 'off';
  return Object.keys(said).length === 0 ? undefined : { ...usualImageCleanup, ...said };
}

const perCycle = 'ECS_NUM_IMAGES_DELETE_PER_CYCLE';

function spotOf(variable: string | undefined): boolean | undefined {
  if (variable !== undefined && variable !== 'true' && variable !== 'false')
    throw new CliError(`SLIPWAY_SPOT must be true or false, not ${variable}`, 2);
  return variable === undefined ? undefined : variable === 'true';
}

const optional = <Name extends string, T>(name: Name, value: T | undefined): { [N in Name]?: T } =>
  value === undefined ? {} : ({ [name]: value } as { [N in Name]?: T });
