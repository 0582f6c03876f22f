import { DescribeTaskDefinitionCommand, type Task, type Volume } from '@aws-sdk/client-ecs';
import { ecsClient } from './aws-client.ts';
import { tasksIn } from './contents.ts';
import { note, parseOutput, print, printJson, table } from './output.ts';
import { askServer } from './own-routes.ts';

/** A volume that outlives its tasks, as `slipway volumes` lists it. */
export interface VolumeRow {
  /** `efs`: a file system, the same on every host; `shared`: a Docker volume of one host; `host`: a path of one host. */
  readonly kind: 'efs' | 'shared' | 'host';
  /** The id of the file system, the name of the Docker volume, or the path. */
  readonly volume: string;
  /** The tag `Name` of a file system. */
  readonly name?: string;
  /** Of a file system: how many zones tasks may mount it in. */
  readonly mountTargets?: number;
  readonly tasks: readonly { readonly task: string; readonly group: string; readonly host?: string }[];
}

/** A file system as the API of EFS shows it. */
export interface FileSystem {
  readonly FileSystemId: string;
  readonly Name?: string;
  readonly NumberOfMountTargets: number;
}

/** Tasks that are looked at; a cluster may have ten thousand. */
const most = 1000;

/** `slipway volumes`: the file systems of the account, and the volumes of a cluster's tasks that outlive them. */
export async function volumes(options: { readonly cluster: string; readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const client = ecsClient();
  const [fileSystems, { found: tasks, left }] = await Promise.all([
    allFileSystems(),
    tasksIn(client, options.cluster, { most }),
  ]);
  const definitions = new Map<string, readonly Volume[]>();
  for (const taskDefinition of new Set(tasks.map((task) => task.taskDefinitionArn ?? ''))) {
    const { taskDefinition: found } = await client.send(new DescribeTaskDefinitionCommand({ taskDefinition }));
    definitions.set(taskDefinition, found?.volumes ?? []);
  }
  const rows = volumeRows(fileSystems, tasks, definitions);
  if (left > 0) note(`${left} more tasks were not looked at: they may have volumes, too`);
  if (output === 'json') return printJson(rows);
  print(
    rows.length === 0
      ? `no file systems, and no volumes that outlive tasks in the cluster ${options.cluster}`
      : volumesTable(rows),
  );
}

async function allFileSystems(): Promise<FileSystem[]> {
  const all: FileSystem[] = [];
  let marker: string | undefined;
  do {
    const query = marker === undefined ? '' : `?Marker=${encodeURIComponent(marker)}`;
    const page = (await askServer('GET', `/2015-02-01/file-systems${query}`, { service: 'elasticfilesystem' })) as {
      readonly FileSystems: readonly FileSystem[];
      readonly NextMarker?: string;
    };
    all.push(...page.FileSystems);
    marker = page.NextMarker;
  } while (marker !== undefined);
  return all;
}

/**
 * File systems, and volumes of tasks that outlive them, with the tasks that have them.
 * @param definitions the volumes of task definitions, by ARN
 */
export function volumeRows(
  fileSystems: readonly FileSystem[],
  tasks: readonly Task[],
  definitions: ReadonlyMap<string, readonly Volume[]>,
): VolumeRow[] {
  const rows = new Map<string, VolumeRow>();
  for (const { FileSystemId: volume, Name: name, NumberOfMountTargets: mountTargets } of fileSystems)
    rows.set(`efs ${volume}`, {
      kind: 'efs',
      volume,
      ...(name === undefined ? {} : { name }),
      mountTargets,
      tasks: [],
    });
  for (const task of tasks) {
    const used = new Map<string, Omit<VolumeRow, 'tasks'>>();
    for (const volume of definitions.get(task.taskDefinitionArn ?? '') ?? []) {
      const kept = keptOf(volume);
      if (kept !== undefined) used.set(`${kept.kind} ${kept.volume}`, kept);
    }
    const host = task.containerInstanceArn?.split('/').at(-1);
    const row = {
      task: task.taskArn?.split('/').at(-1) ?? '',
      group: (task.group ?? '').replace(/^service:/, ''),
      ...(host === undefined ? {} : { host }),
    };
    for (const [key, kept] of used) {
      const known = rows.get(key) ?? { ...kept, tasks: [] };
      rows.set(key, { ...known, tasks: [...known.tasks, row] });
    }
  }
  return [...rows.values()].toSorted((a, b) => (`${a.kind} ${a.volume}` < `${b.kind} ${b.volume}` ? -1 : 1));
}

/** What of a volume is there after its task; undefined of what goes with it. */
function keptOf({
  name = '',
  efsVolumeConfiguration: efs,
  dockerVolumeConfiguration: docker,
  host,
}: Volume): Pick<VolumeRow, 'kind' | 'volume'> | undefined {
  if (efs !== undefined) return { kind: 'efs', volume: efs.fileSystemId ?? '' };
  if (docker?.scope === 'shared') return { kind: 'shared', volume: name };
  return host?.sourcePath === undefined ? undefined : { kind: 'host', volume: host.sourcePath };
}

/** Tasks and hosts that a row of the table names; the others are counted. */
const shown = 3;

export const volumesTable = (rows: readonly VolumeRow[]): string =>
  table(
    ['KIND', 'VOLUME', 'NAME', 'TARGETS', 'USED BY', 'HOSTS'],
    rows.map(({ kind, volume, name = '', mountTargets, tasks }) => [
      kind,
      volume,
      name,
      mountTargets === undefined ? '' : String(mountTargets),
      some(tasks.map(({ group, task }) => `${group}/${task.slice(0, 8)}`)),
      some([...new Set(tasks.flatMap(({ host }) => host?.slice(0, 12) ?? []))]),
    ]),
  );

const some = (names: readonly string[]): string =>
  names.length <= shown ? names.join(', ') : `${names.slice(0, shown).join(', ')} and ${names.length - shown} more`;
