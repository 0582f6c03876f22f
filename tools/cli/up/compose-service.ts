import { resolve } from 'node:path';
import type { Volume } from '@aws-sdk/client-ecs';
import {
  cpus,
  dependencies,
  duration,
  health,
  known,
  memory,
  mounts,
  pairs,
  variables,
  variablesOfFiles,
  words,
} from './compose-fields.ts';
import { given, linux, readDeploy, simple } from './compose-parts.ts';
import { refusedFields } from './compose-refused.ts';
import type { Field } from './fields.ts';
import { type AppContainer, type ImageSource, usualMemory } from './model.ts';
import { type Ports, readPorts } from './ports.ts';

/** A service of a Compose file as it stands there: one container. */
export interface ComposeService {
  readonly name: string;
  readonly field: Field;
  readonly container: AppContainer;
  readonly dependsOn: ReturnType<typeof dependencies>;
  readonly links: readonly { readonly to: string; readonly alias: string; readonly field: Field }[];
  readonly published: Ports['published'];
  readonly volumes: readonly Volume[];
  readonly count?: { readonly value: number; readonly field: Field };
  /** A limit, in units of 1/1024 of a core. */
  readonly cpuLimit?: number;
  readonly restart?: { readonly value: string; readonly field: Field };
  readonly healthPath?: string;
}

/** What a service is read with. */
export interface Surroundings {
  readonly project: string;
  readonly folder: string;
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Names of volumes on hosts by their names in the file. */
  readonly volumes: ReadonlyMap<string, string>;
}

const servedFields = [
  'build',
  'cap_add',
  'cap_drop',
  'command',
  'cpu_shares',
  'cpus',
  'depends_on',
  'deploy',
  'dns',
  'dns_search',
  'entrypoint',
  'env_file',
  'environment',
  'expose',
  'extra_hosts',
  'healthcheck',
  'hostname',
  'image',
  'init',
  'labels',
  'links',
  'mem_limit',
  'mem_reservation',
  'ports',
  'privileged',
  'read_only',
  'restart',
  'scale',
  'shm_size',
  'stdin_open',
  'stop_grace_period',
  'sysctls',
  'tmpfs',
  'tty',
  'ulimits',
  'user',
  'volumes',
  'working_dir',
  'x-slipway',
];

/** Reads one service of a Compose file; what is not mapped is a problem of its line. */
export function readService(name: string, field: Field, around: Surroundings): ComposeService {
  if (!/^[a-zA-Z0-9][\w-]{0,31}$/.test(name))
    field.refuse('is named with at most 32 letters, digits, hyphens and underscores');
  const parts = fieldsOf(field);
  const part = (key: string): Field | undefined => parts.get(key);
  const own = extension(part('x-slipway'));
  const deploy = readDeploy(part('deploy'));
  const ports = part('ports') === undefined ? undefined : readPorts(part('ports') as Field);
  const mounted = part('volumes') === undefined ? undefined : mounts(part('volumes') as Field, name, around.volumes);
  part('tmpfs')?.refuse('memory has an end: write volumes: [{ type: tmpfs, target: /path, tmpfs: { size: 64m } }]');
  const environment = {
    ...(part('env_file') === undefined ? {} : variablesOfFiles(part('env_file') as Field, around.folder)),
    ...(part('environment') === undefined ? {} : variables(part('environment') as Field, around.variables)),
  };
  const limit = memory(part('mem_limit')) ?? deploy.memory;
  const reserved = memory(part('mem_reservation')) ?? deploy.memoryReservation;
  const cpu = deploy.cpu ?? part('cpu_shares')?.integer(2, 196_608);
  const healthCheck = part('healthcheck') === undefined ? undefined : health(part('healthcheck') as Field);
  const linuxParameters = linux(parts, mounted?.tmpfs ?? []);
  const stopTimeout = duration(part('stop_grace_period'), 0, 86_400);
  const definition: AppContainer['definition'] = {
    name,
    essential: true,
    ...(limit === undefined ? {} : { memory: limit }),
    ...(reserved !== undefined
      ? { memoryReservation: reserved }
      : limit === undefined
        ? { memoryReservation: usualMemory }
        : {}),
    ...(cpu === undefined ? {} : { cpu }),
    ...given('command', part('command'), (one) => [...words(one)]),
    ...given('entryPoint', part('entrypoint'), (one) => [...words(one)]),
    ...(Object.keys(environment).length === 0 ? {} : { environment: pairs(environment) }),
    ...(ports === undefined ? {} : { portMappings: [...ports.mappings] }),
    ...(healthCheck === undefined ? {} : { healthCheck }),
    ...(mounted === undefined || mounted.mountPoints.length === 0 ? {} : { mountPoints: [...mounted.mountPoints] }),
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
    ...(linuxParameters === undefined ? {} : { linuxParameters }),
    ...simple(parts, around.variables),
  };
  const count = part('scale') ?? deploy.replicas;
  const value = count?.integer(0, 1000);
  const restart = part('restart');
  const cpuLimit = cpus(part('cpus')) ?? deploy.cpuLimit;
  return {
    name,
    field,
    container: { source: sourceOf(name, field, parts, around), secrets: own.secrets, definition },
    dependsOn: part('depends_on') === undefined ? [] : dependencies(part('depends_on') as Field),
    links: linksOf(part('links')),
    published: ports?.published ?? [],
    volumes: mounted?.own ?? [],
    ...(count === undefined || value === undefined ? {} : { count: { value, field: count } }),
    ...(cpuLimit === undefined ? {} : { cpuLimit }),
    ...(restart === undefined ? {} : { restart: { value: restart.text() ?? '', field: restart } }),
    ...(own.healthPath === undefined ? {} : { healthPath: own.healthPath }),
  };
}

function fieldsOf(field: Field): ReadonlyMap<string, Field> {
  const found = new Map<string, Field>();
  for (const [name, member] of field.members()) {
    const why = refusedFields[name];
    if (servedFields.includes(name)) found.set(name, member);
    else if (why !== undefined) member.refuse(why);
    else if (!name.startsWith('x-')) member.refuse('is no field of a service that slipway up knows');
  }
  return found;
}

function linksOf(field: Field | undefined): ComposeService['links'] {
  return (field?.items() ?? []).flatMap((item) => {
    const [to = '', alias = to] = (item.text() ?? '').split(':');
    return to === '' ? [] : [{ to, alias, field: item }];
  });
}

/** `image` and `build`: an image of a build is named by both, else by project and service. */
function sourceOf(name: string, field: Field, parts: ReadonlyMap<string, Field>, around: Surroundings): ImageSource {
  const image = parts.get('image')?.text();
  const build = parts.get('build');
  if (build === undefined) {
    if (image === undefined) field.refuse('needs an image, or a build');
    return { kind: 'image', image: image ?? '' };
  }
  const options =
    build.kind === 'map'
      ? known(build, ['context', 'dockerfile', 'args', 'target'], {
          dockerfile_inline: 'write it into a Dockerfile',
        })
      : undefined;
  const context = (options === undefined ? build : options.get('context'))?.text() ?? '.';
  if (/^(https?|git|ssh):|^git@/.test(context)) build.refuse('the context is a folder of this machine');
  const dockerfile = options?.get('dockerfile')?.text();
  const target = options?.get('target')?.text();
  const args = options?.get('args');
  return {
    kind: 'build',
    context: resolve(around.folder, context),
    ...(dockerfile === undefined ? {} : { dockerfile }),
    ...(target === undefined ? {} : { target }),
    arguments: args === undefined ? {} : variables(args, around.variables),
    image: image ?? `${around.project}/${name.toLowerCase()}:latest`,
  };
}

/** `x-slipway` of a service: what Compose has no word for. */
function extension(field: Field | undefined): {
  readonly secrets: Record<string, string>;
  readonly healthPath?: string;
} {
  if (field === undefined) return { secrets: {} };
  const parts = known(field, ['secrets', 'health_path']);
  const secrets = Object.fromEntries(
    [...(parts.get('secrets')?.members() ?? [])].map(([name, member]) => [name, member.text() ?? '']),
  );
  const path = parts.get('health_path')?.text();
  if (path !== undefined && !path.startsWith('/')) parts.get('health_path')?.refuse('begins with /');
  return { secrets, ...(path === undefined ? {} : { healthPath: path }) };
}
