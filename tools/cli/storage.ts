import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { type BlobRecord, keys, registryAccounts, registryPartition } from '@slipway/registry/images';
import { blobsOfObjects, knownBlobsOfObjects, relocateObjects } from '@slipway/scheduler/objects/store';
import { blobsOfLogs, knownBlobsOfLogs, relocateLogs } from '@slipway/scheduler/signals/logs/store';
import { blobsOfMetrics, knownBlobsOfMetrics, relocateMetrics } from '@slipway/scheduler/signals/metrics/store';
import {
  audit,
  type AuditReport,
  type Finding,
  type Reference,
  transfer,
  type TransferReport,
} from '@slipway/storage/audit';
import type { BlobLocation, Digest } from '@slipway/storage/blobs';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { type Json, scan } from '@slipway/storage/records';
import { ConfigError, readConfig, type ServerConfig } from '../server/config.ts';
import { checkDataFolder } from '../server/data-folder.ts';
import { readServerState } from '../server/state-files.ts';
import { storageConfig } from '../server/storage-config.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson } from './output.ts';
import { Progress } from './progress.ts';
import { openStores, type Stores } from './stores.ts';

export interface AuditCommand {
  readonly data: string;
  readonly repair?: boolean;
  readonly quick?: boolean;
  readonly output: string;
}

/** `slipway storage audit`: compares records with bytes; exit 4 when something acknowledged is missing or damaged. */
export async function auditStorage(options: AuditCommand): Promise<void> {
  const output = parseOutput(options.output);
  await using stores = await openStores(options.data);
  const progress = new Progress('audit');
  const findings: Finding[] = [];
  const steps = audit({
    blobs: stores.storage.blobs,
    references: () => references(stores),
    isReferenced: (blob) => isReferenced(stores, blob),
    now: () => Date.now(),
    read: !options.quick,
    repair: options.repair ?? false,
    progress: ({ blobs, bytes }) => progress.show(`${blobs} blobs, ${mebibytes(bytes)} looked at`),
  });
  let step = await steps.next();
  for (; !step.done; step = await steps.next()) findings.push(step.value);
  progress.end();
  const report: AuditReport = step.value;
  if (output === 'json') printJson({ ...report, findings });
  else printAudit(report, findings);
  if (report.missing + report.damaged > 0) process.exitCode = 4;
}

function printAudit(report: AuditReport, findings: readonly Finding[]): void {
  for (const finding of findings) {
    const by = 'by' in finding.blob ? ` (${finding.blob.by})` : '';
    const detail =
      finding.kind === 'damaged'
        ? `: ${finding.detail}`
        : finding.kind === 'unreferenced' && finding.removed
          ? ': removed'
          : '';
    print(`${finding.kind.padEnd(12)} ${finding.blob.digest}${by}${detail}`);
  }
  print(
    `${report.blobs} blobs, ${mebibytes(report.bytes)}: ${report.missing} missing, ${report.damaged} damaged, ${report.unreferenced} unreferenced, ${report.removed} removed`,
  );
  if (report.missing + report.damaged > 0)
    print('Missing or damaged blobs were acknowledged: restore them from a copy, or push their images again.');
  else if (report.unreferenced > report.removed)
    print('Unreferenced blobs take room only; --repair removes those older than a day.');
}

/** Every blob that some account's registry has, with the repositories that serve it. */
async function* references({ images }: Stores): AsyncIterable<Reference> {
  const { records } = images.ports;
  for (const account of await registryAccounts(images.ports)) {
    const partition = registryPartition(account);
    for await (const { key, value } of scan<BlobRecord>(records, partition, { prefix: keys.blobs })) {
      const digest = key.slice(keys.blobs.length) as Digest;
      const links = await records.list(partition, { prefix: keys.linksOf(digest), limit: 5 });
      const repositories = links.records.map((link) => link.key.slice(keys.linksOf(digest).length));
      yield {
        digest,
        generation: value.generation,
        size: value.size,
        by: `${account}: ${repositories.join(', ') || 'no repository'}`,
      };
    }
  }
  yield* blobsOfLogs(records);
  yield* blobsOfMetrics(records);
  yield* blobsOfObjects(records);
}

async function isReferenced({ images }: Stores, { digest, generation }: BlobLocation): Promise<boolean> {
  const { records } = images.ports;
  for (const account of await registryAccounts(images.ports)) {
    const row = await records.get<BlobRecord>(registryPartition(account), keys.blob(digest));
    if (row?.value.generation === generation) return true;
  }
  const blob = { digest, generation };
  return (
    (await knownBlobsOfLogs(records))(blob) ||
    (await knownBlobsOfMetrics(records))(blob) ||
    (await knownBlobsOfObjects(records))(blob)
  );
}

export interface TransferCommand {
  readonly data: string;
  /** File of `SLIPWAY_*` settings of the other installation. */
  readonly settings: string;
  readonly direction: 'export' | 'import';
  readonly output: string;
}

/** `slipway storage export|import`: copies everything between this installation's stores and those that a settings file names. */
export async function transferStorage(options: TransferCommand): Promise<void> {
  const output = parseOutput(options.output);
  const here = await open(settingsOf({ ...process.env, SLIPWAY_DATA: options.data }));
  const there = await open(settingsOf(settingsFile(options.settings))).catch(async (error: unknown) => {
    await here.close();
    throw error;
  });
  const progress = new Progress(options.direction);
  const running = runningServer(options.data);
  let report: TransferReport;
  try {
    report = await transfer({
      from: options.direction === 'export' ? here : there,
      to: options.direction === 'export' ? there : here,
      relocate,
      progress: ({ phase, done, bytes }) =>
        progress.show(`${phase}: ${done}${bytes > 0 ? `, ${mebibytes(bytes)}` : ''}`),
    });
  } catch (error) {
    throw new CliError(
      `${(error as Error).message}. Nothing is lost at the source; run it again with all servers stopped, it goes on where it was.`,
    );
  } finally {
    progress.end();
    await Promise.all([here.close(), there.close()]);
  }
  const notes = notesOf(options, running);
  if (output === 'json') {
    printJson({ ...report, notes });
    return;
  }
  print(
    `${options.direction}ed and verified ${report.records} records in ${report.partitions} partitions and ${report.blobs} blobs (${mebibytes(report.bytes)}); ${report.blobsAlreadyThere} blobs were there already`,
  );
  for (const note of notes) print(note);
}

/** What the copy is not: people take it for the whole installation. */
function notesOf({ direction, data }: TransferCommand, running: number | undefined): readonly string[] {
  const { keyFile } = settingsOf({ ...process.env, SLIPWAY_DATA: data });
  const key =
    direction === 'export'
      ? `The key file ${keyFile} is needed with it: without that very key nobody can read its secrets, and no access key works. Copy it apart, and name it with SLIPWAY_KEY_FILE.`
      : `The key file of the other installation must lie at ${keyFile} before a server starts here: without that very key nobody can read the secrets, and no access key works.`;
  return [
    ...(running === undefined
      ? [
          'What servers write from now on is not in it. Servers on other machines are not seen from here: see that all are stopped.',
        ]
      : [
          `A server is running on this data (process ${running}): what it wrote while the copy was made, or writes from now on, is not in it. Stop all servers, and run this again: it goes on where it was.`,
        ]),
    key,
    "Not in it either: events and how far they were read (level-triggered passes find the same work), audit lines, certificates in files, the administrator's credentials file, and the data folders of agents.",
  ];
}

/** The process that serves the data folder; undefined when none is known to live. */
function runningServer(data: string): number | undefined {
  const pid = readServerState(data)?.pid;
  if (pid === undefined) return undefined;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? pid : undefined;
  }
}

/** A blob's row and the links to it name its generation, which is new in the target. */
async function relocate(
  partition: string,
  key: string,
  value: Json,
  where: (blob: BlobLocation) => Promise<BlobLocation | undefined>,
): Promise<Json> {
  if (!partition.startsWith(registryPartition('')))
    return [relocateLogs, relocateMetrics, relocateObjects].reduce(
      async (before, relocateOne) => relocateOne(partition, key, await before, where),
      Promise.resolve(value),
    );
  const digest = digestOfRow(key);
  if (digest === undefined) return value;
  const row = value as unknown as BlobRecord;
  const moved = await where({ digest, generation: row.generation });
  return moved === undefined ? value : { ...row, generation: moved.generation };
}

/** The digest in the key of a row that holds a generation; undefined for every other row. */
function digestOfRow(key: string): Digest | undefined {
  if (key.startsWith(keys.blobs)) return key.slice(keys.blobs.length) as Digest;
  const [kind, digest] = key.split('|');
  return digest !== undefined && `${kind}|${digest}|` === keys.linksOf(digest as Digest)
    ? (digest as Digest)
    : undefined;
}

async function open(config: ServerConfig): Promise<Storage> {
  try {
    await checkDataFolder(config.data);
    return await openStorage(storageConfig(config), systemClock);
  } catch (error) {
    throw new CliError((error as Error).message);
  }
}

function settingsFile(path: string): NodeJS.ProcessEnv {
  try {
    return parseEnv(readFileSync(path, 'utf8')) as NodeJS.ProcessEnv;
  } catch (error) {
    throw new CliError(`cannot read the settings in ${path}: ${(error as Error).message}`, 2);
  }
}

function settingsOf(env: NodeJS.ProcessEnv): ServerConfig {
  try {
    return readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message);
    throw error;
  }
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toLocaleString('en-US', { maximumFractionDigits: 1 })} MiB`;
}
