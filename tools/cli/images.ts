import {
  DescribeRepositoriesCommand,
  ECRClient,
  type ImageDetail,
  paginateDescribeImages,
  paginateDescribeRepositories,
  type Repository,
} from '@aws-sdk/client-ecr';
import { type ECSClient, paginateListClusters } from '@aws-sdk/client-ecs';
import { clientSettings, ecsClient } from './aws-client.ts';
import { tasksIn } from './contents.ts';
import { ageOf, bytesOf, note, parseOutput, print, printJson, table } from './output.ts';

export interface ImagesOptions {
  readonly all?: true;
  readonly output: string;
}

/** An image as `slipway images` lists it. */
export interface ImageRow {
  readonly repository: string;
  readonly tags: readonly string[];
  readonly digest: string;
  /** Compressed, as a pull transfers it. */
  readonly bytes: number;
  readonly pushedAt?: string;
  /** Findings by severity, or what became of the scan; absent when there was none. */
  readonly scan?: { readonly status: string; readonly findings: Readonly<Record<string, number>> };
  /** `cluster/service` of the running tasks that have this image. */
  readonly usedBy: readonly string[];
}

const nobody: ReadonlyMap<string, ReadonlySet<string>> = new Map();
/** Rows of a table, and tasks of a cluster that are looked at for who uses an image. */
const most = 1000;
const mostTasks = 2000;

/** `slipway images`: repositories with their images, what scans found, and which services run them. */
export async function images(repository: string | undefined, options: ImagesOptions): Promise<void> {
  const output = parseOutput(options.output);
  const client = new ECRClient(clientSettings());
  const [repositories, usedBy] = await Promise.all([
    repositoriesOf(client, repository),
    users(ecsClient(), mostTasks).catch(() => nobody),
  ]);
  const rows: ImageRow[] = [];
  let untagged = 0;
  for (const { repositoryName = '' } of repositories)
    for await (const { imageDetails = [] } of paginateDescribeImages({ client }, { repositoryName }))
      for (const detail of imageDetails)
        if (options.all || (detail.imageTags ?? []).length > 0) rows.push(imageRow(detail, usedBy));
        else untagged += 1;
  rows.sort((a, b) => (a.repository === b.repository ? (newer(a, b) ? -1 : 1) : a.repository < b.repository ? -1 : 1));
  if (output === 'json') return printJson(rows);
  if (rows.length > 0) print(imagesTable(rows.slice(0, most), Date.now()));
  else print(repositories.length === 0 ? 'no repositories: aws ecr create-repository makes one' : 'no images');
  const empty = repositories.filter(({ repositoryName }) => !rows.some((row) => row.repository === repositoryName));
  if (rows.length > 0 && empty.length > 0)
    note(`without images: ${empty.map(({ repositoryName = '' }) => repositoryName).join(', ')}`);
  if (untagged > 0) note(`${untagged} images without a tag are not shown: --all does`);
  if (rows.length > most) note(`${rows.length - most} more images are not shown: name a repository`);
}

const newer = (a: ImageRow, b: ImageRow): boolean => (a.pushedAt ?? '') > (b.pushedAt ?? '');

/** All repositories, or the one of a name. */
export async function repositoriesOf(client: ECRClient, name?: string): Promise<readonly Repository[]> {
  if (name !== undefined)
    return (await client.send(new DescribeRepositoriesCommand({ repositoryNames: [name] }))).repositories ?? [];
  const found: Repository[] = [];
  for await (const { repositories = [] } of paginateDescribeRepositories({ client }, {})) found.push(...repositories);
  return found;
}

/**
 * Which services' tasks run an image, by its digest.
 * @param most how many tasks of a cluster are looked at; all when left out
 * @throws what the server says, where the caller may not see tasks
 */
export async function users(client: ECSClient, most = Infinity): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, Set<string>>();
  const clusters: string[] = [];
  for await (const { clusterArns = [] } of paginateListClusters({ client }, {})) clusters.push(...clusterArns);
  for (const cluster of clusters)
    for (const { group = '', containers = [] } of (await tasksIn(client, cluster, { most })).found)
      for (const { imageDigest } of containers)
        if (imageDigest !== undefined) {
          const who = `${cluster.split('/').at(-1) ?? ''}/${group.replace(/^service:/, '')}`;
          found.set(imageDigest, (found.get(imageDigest) ?? new Set()).add(who));
        }
  return found;
}

/** What of an image is listed. */
export function imageRow(
  {
    repositoryName = '',
    imageTags = [],
    imageDigest = '',
    imageSizeInBytes = 0,
    imagePushedAt,
    imageScanStatus,
    imageScanFindingsSummary,
  }: ImageDetail,
  usedBy: ReadonlyMap<string, ReadonlySet<string>>,
): ImageRow {
  return {
    repository: repositoryName,
    tags: imageTags.toSorted(),
    digest: imageDigest,
    bytes: imageSizeInBytes,
    ...(imagePushedAt === undefined ? {} : { pushedAt: imagePushedAt.toISOString() }),
    ...(imageScanStatus?.status === undefined
      ? {}
      : {
          scan: { status: imageScanStatus.status, findings: imageScanFindingsSummary?.findingSeverityCounts ?? {} },
        }),
    usedBy: [...(usedBy.get(imageDigest) ?? [])].toSorted(),
  };
}

const severities = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'];

/** What a scan found, worst first: `2 CRITICAL, 1 HIGH`; or how it stands. */
export function scanWords(scan: ImageRow['scan']): string {
  if (scan === undefined) return '';
  if (scan.status !== 'COMPLETE' && scan.status !== 'ACTIVE') return scan.status.toLowerCase().replaceAll('_', ' ');
  const counted = severities.flatMap((severity) => {
    const count = scan.findings[severity] ?? 0;
    return count === 0 ? [] : [`${count} ${severity}`];
  });
  return counted.length === 0 ? 'clean' : counted.join(', ');
}

/** The table of images. @param now milliseconds since the epoch */
export const imagesTable = (rows: readonly ImageRow[], now: number): string =>
  table(
    ['REPOSITORY', 'TAGS', 'DIGEST', 'SIZE', 'PUSHED', 'SCAN', 'USED BY'],
    rows.map((row) => [
      row.repository,
      row.tags.join(', '),
      row.digest.replace(/^sha\d+:/, '').slice(0, 12),
      bytesOf(row.bytes),
      row.pushedAt === undefined ? '' : `${ageOf(Date.parse(row.pushedAt), now)} ago`,
      scanWords(row.scan),
      row.usedBy.join(', '),
    ]),
  );
