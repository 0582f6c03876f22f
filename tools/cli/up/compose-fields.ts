import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import type {
  ContainerDependency,
  HealthCheck,
  KeyValuePair,
  LinuxParameters,
  MountPoint,
  Volume,
} from '@aws-sdk/client-ecs';
import type { Field } from './fields.ts';
import { cpuOf, mebibytesOf, secondsOf, wordsOf } from './values.ts';

/** Readers of single fields of a Compose service, each as its specification has it. */

/** The members of a map, of those that are named; others are a problem each. Extensions (`x-…`) are nobody's business. */
export function known(
  field: Field,
  names: readonly string[],
  refused: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, Field> {
  const found = new Map<string, Field>();
  for (const [name, member] of field.members())
    if (names.includes(name)) found.set(name, member);
    else if (!name.startsWith('x-')) member.refuse(refused[name] ?? `is none of ${names.join(', ')}`);
  return found;
}

/** `command` and `entrypoint`: words, or a text that is split into words. */
export function words(field: Field): readonly string[] {
  if (field.kind === 'list') return field.texts();
  const text = field.text();
  if (text === undefined) return [];
  return wordsOf(text) ?? field.refuse('has a quote without an end') ?? [];
}

/** Variables as a map, or a list of `NAME=value`; one without a value is taken from the shell. */
export function variables(field: Field, shell: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const found: Record<string, string> = {};
  const take = (name: string, value: string | undefined, where: Field): void => {
    const known = value ?? shell[name];
    if (known === undefined) where.refuse(`the variable ${name} has no value, neither here nor in the shell`);
    else if (!/^[^=\0]+$/.test(name)) where.refuse(`a variable has no name like '${name}'`);
    else found[name] = known;
  };
  if (field.kind === 'list')
    for (const item of field.items()) {
      const text = item.text() ?? '=';
      const at = text.indexOf('=');
      if (at < 0) take(text, undefined, item);
      else take(text.slice(0, at), text.slice(at + 1), item);
    }
  else
    for (const [name, member] of field.members())
      take(name, member.kind === 'nothing' ? undefined : member.text(), member);
  return found;
}

/** `env_file`: variables of files, later ones before earlier ones. Values are taken as they are. */
export function variablesOfFiles(field: Field, folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  const entries = field.kind === 'list' ? field.items() : [field];
  for (const entry of entries) {
    const parts = entry.kind === 'map' ? known(entry, ['path', 'required', 'format']) : undefined;
    parts?.get('format')?.refuse('files are read as .env files are: remove it');
    const path = (parts === undefined ? entry : parts.get('path'))?.text();
    if (path === undefined) continue;
    try {
      const text = readFileSync(resolve(folder, path), 'utf8');
      const read = parseEnv(text);
      // Compose puts variables into values, but for those in single quotes.
      const literal = text.split('\n').flatMap((line) => /^\s*(?:export\s+)?([\w.-]+)\s*=\s*'/.exec(line)?.[1] ?? []);
      for (const [name, value = ''] of Object.entries(read))
        if (/\$[{A-Za-z_]/.test(value) && !literal.includes(name))
          entry.refuse(
            `${path}: the value of ${name} has a $, and no variables are put into it: write it out, or in single quotes where the $ stands for itself`,
          );
      Object.assign(found, read);
    } catch (error) {
      if (parts?.get('required')?.truth() !== false)
        entry.refuse(`${path} cannot be read (${(error as { code?: string }).code ?? 'error'})`);
    }
  }
  return found;
}

export const pairs = (found: Readonly<Record<string, string>>): KeyValuePair[] =>
  Object.entries(found).map(([name, value]) => ({ name, value }));

/** A whole number of seconds within what ECS takes. */
export function duration(field: Field | undefined, least: number, most: number): number | undefined {
  const text = field?.text();
  if (field === undefined || text === undefined) return undefined;
  const value = secondsOf(text);
  if (value === undefined) return field.refuse(`is a duration such as 30s or 1m30s, not '${text}'`);
  return value >= least && value <= most ? value : field.refuse(`is from ${least}s to ${most}s here, not ${text}`);
}

export function memory(field: Field | undefined): number | undefined {
  const text = field?.text();
  if (field === undefined || text === undefined) return undefined;
  const value = mebibytesOf(text);
  if (value === undefined) return field.refuse(`is an amount of memory such as 512m or 1g, not '${text}'`);
  return value >= 6 ? value : field.refuse('containers have 6 MiB at least');
}

export function cpus(field: Field | undefined): number | undefined {
  const text = field?.text();
  if (field === undefined || text === undefined) return undefined;
  return cpuOf(text) ?? field.refuse(`is a number of CPUs such as 0.5, not '${text}'`);
}

/** `healthcheck`; undefined for none. What Compose leaves out is ECS's default. */
export function health(field: Field): HealthCheck | undefined {
  const parts = known(field, ['test', 'interval', 'timeout', 'retries', 'start_period', 'disable'], {
    start_interval: 'checks have one interval: remove it',
  });
  if (parts.get('disable')?.truth() === true) return undefined;
  const test = parts.get('test');
  if (test === undefined) return field.refuse("needs a test: an image's own is not looked at");
  const given = test.kind === 'list' ? [...test.texts()] : ['CMD-SHELL', test.text() ?? ''];
  if (given[0] === 'NONE') return undefined;
  if (!['CMD', 'CMD-SHELL'].includes(given[0] ?? '') || given.length < 2)
    return test.refuse('begins with CMD, CMD-SHELL or NONE, or is a text');
  const interval = duration(parts.get('interval'), 5, 300);
  const timeout = duration(parts.get('timeout'), 2, 60);
  const startPeriod = duration(parts.get('start_period'), 0, 300);
  const retries = parts.get('retries')?.integer(1, 10);
  return {
    command: given,
    ...(interval === undefined ? {} : { interval }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(startPeriod === undefined ? {} : { startPeriod }),
    ...(retries === undefined ? {} : { retries }),
  };
}

const conditions: Readonly<Record<string, 'START' | 'HEALTHY' | 'SUCCESS'>> = {
  service_started: 'START',
  service_healthy: 'HEALTHY',
  service_completed_successfully: 'SUCCESS',
};

/** `depends_on`: which containers must be how before this one starts; ECS has the same three conditions. */
export function dependencies(field: Field): readonly (ContainerDependency & { readonly field: Field })[] {
  if (field.kind === 'list')
    return field.items().flatMap((item) => {
      const containerName = item.text();
      return containerName === undefined ? [] : [{ containerName, condition: 'START' as const, field: item }];
    });
  return [...field.members()].map(([containerName, member]) => {
    // With `restart`, who depends is started again too: a task ends as a whole, and so does that.
    const parts = known(member, ['condition', 'restart'], { required: 'all that is depended on runs: remove it' });
    const said = parts.get('condition')?.text() ?? 'service_started';
    const condition = conditions[said];
    if (condition === undefined) parts.get('condition')?.refuse(`is one of ${Object.keys(conditions).join(', ')}`);
    return { containerName, condition: condition ?? 'START', field: member };
  });
}

export interface Mounts {
  readonly mountPoints: readonly MountPoint[];
  /** Volumes of the task alone; those with a name are the file's. */
  readonly own: readonly Volume[];
  readonly tmpfs: NonNullable<LinuxParameters['tmpfs']>;
}

const ofThisMachine =
  'files of this machine are not on the hosts: copy them into the image, or use a volume with a name (keeps its data on its host)';

/** `volumes` of a service. @param name of the container, for volumes without a name */
export function mounts(field: Field, name: string, named: ReadonlyMap<string, string>): Mounts {
  const mountPoints: MountPoint[] = [];
  const own: Volume[] = [];
  const tmpfs: NonNullable<LinuxParameters['tmpfs']> = [];
  const mount = (item: Field, source: string | undefined, containerPath: string, readOnly: boolean): void => {
    if (source !== undefined && /^[./~]/.test(source)) return item.refuse(`${source}: ${ofThisMachine}`);
    const volume = source === undefined ? `${name}-${own.length + 1}` : named.get(source);
    if (volume === undefined) return item.refuse(`there is no volume ${source ?? ''} among the volumes of the file`);
    if (source === undefined) own.push({ name: volume, dockerVolumeConfiguration: { scope: 'task', driver: 'local' } });
    mountPoints.push({ sourceVolume: volume, containerPath, ...(readOnly ? { readOnly } : {}) });
  };
  for (const item of field.items()) {
    if (item.kind !== 'map') {
      const parts = (item.text() ?? '').split(':');
      const [source, target = '', mode = 'rw'] = parts.length === 1 ? [undefined, parts[0]] : parts;
      if (parts.length > 3 || !target.startsWith('/') || !/^(rw|ro)$/.test(mode))
        item.refuse(`is <volume>:</path>, with :ro behind it where it is only read, not '${parts.join(':')}'`);
      else mount(item, source, target, mode === 'ro');
      continue;
    }
    const parts = known(item, ['type', 'source', 'target', 'read_only', 'tmpfs'], {
      bind: ofThisMachine,
      volume: 'volumes have no options: remove it',
      consistency: 'volumes have no options: remove it',
    });
    const type = parts.get('type')?.text() ?? 'volume';
    const target = parts.get('target')?.text();
    if (target === undefined) item.refuse('needs a target: the path in the container');
    else if (type === 'bind') item.refuse(ofThisMachine);
    else if (type === 'tmpfs') {
      const sizeField =
        parts.get('tmpfs') === undefined ? undefined : known(parts.get('tmpfs') as Field, ['size']).get('size');
      const size = memory(sizeField);
      if (sizeField === undefined) item.refuse('needs tmpfs.size: memory has an end');
      else if (size !== undefined) tmpfs.push({ containerPath: target, size });
    } else if (type === 'volume')
      mount(item, parts.get('source')?.text(), target, parts.get('read_only')?.truth() === true);
    else item.refuse(`type is volume or tmpfs, not ${type}`);
  }
  return { mountPoints, own, tmpfs };
}
