import { AwsError, ecr, ecs, inGroups, pages, unlessRefused } from './aws.ts';
import { lastOf } from './format.ts';
import { readServices } from './overview-data.ts';
import type { ImageDetail, Repository, ServiceRow, TaskDefinition } from './types.ts';

/** Images of a repository that its page shows, newest first. */
export const mostImages = 500;
/** Different revisions that are asked about what they run. */
const mostRevisions = 200;

export const readRepositories = async (signal: AbortSignal): Promise<readonly Repository[]> =>
  (
    await pages(
      (nextToken) => ecr('DescribeRepositories', { nextToken, maxResults: 1000 }, { signal }),
      (page) => page.repositories,
    )
  ).toSorted((a, b) => (a.repositoryName ?? '').localeCompare(b.repositoryName ?? ''));

export interface RepositoryData {
  readonly repository: Repository;
  readonly images: readonly ImageDetail[];
  /** Services by the tags and digests of this repository that they run. */
  readonly usedBy: ReadonlyMap<string, readonly ServiceRow[]>;
}

/** A repository with its images, and what runs them as far as the caller may see it. @throws AwsError */
export async function readRepository(name: string, signal: AbortSignal): Promise<RepositoryData> {
  const { repositories: [repository] = [] } = await ecr(
    'DescribeRepositories',
    { repositoryNames: [name] },
    { signal },
  );
  if (repository === undefined)
    throw new AwsError('DescribeRepositories', 'RepositoryNotFoundException', `There is no repository ${name}.`, '');
  const [images, usedBy] = await Promise.all([
    pages(
      (nextToken) => ecr('DescribeImages', { repositoryName: name, nextToken, maxResults: 500 }, { signal }),
      (page) => page.imageDetails,
      mostImages,
    ),
    unlessRefused(readUses(repository.repositoryUri ?? '', signal), new Map<string, readonly ServiceRow[]>()),
  ]);
  return { repository, images: images.toSorted((a, b) => (b.imagePushedAt ?? 0) - (a.imagePushedAt ?? 0)), usedBy };
}

/** Which services run what of a repository: by tag, and by digest where it is pinned. */
async function readUses(uri: string, signal: AbortSignal): Promise<ReadonlyMap<string, readonly ServiceRow[]>> {
  const { services } = await readServices(signal);
  const revisions = [...new Set(services.flatMap(({ taskDefinition }) => taskDefinition ?? []))].slice(
    0,
    mostRevisions,
  );
  const definitions = await inGroups(revisions, 1, async ([taskDefinition]) => {
    const answer = await ecs('DescribeTaskDefinition', { taskDefinition }, { signal });
    return answer.taskDefinition === undefined ? [] : [answer.taskDefinition];
  });
  const imagesOf = new Map(definitions.map((one) => [one.taskDefinitionArn, imagesIn(one)]));
  const uses = new Map<string, ServiceRow[]>();
  for (const service of services)
    for (const image of imagesOf.get(service.taskDefinition) ?? []) {
      const version = versionIn(image, uri);
      if (version !== undefined) uses.set(version, [...(uses.get(version) ?? []), service]);
    }
  return uses;
}

const imagesIn = ({ containerDefinitions = [] }: TaskDefinition): readonly string[] => [
  ...new Set(containerDefinitions.flatMap(({ image }) => image ?? [])),
];

/** The tag or digest that an image reference means of a repository; undefined where it is of another one. */
export function versionIn(image: string, uri: string): string | undefined {
  const path = uri.slice(uri.indexOf('/') + 1);
  const [reference = '', digest] = image.split('@', 2);
  // Registries may be named by several addresses; what stands behind the address is the repository.
  const own = reference.slice(reference.indexOf('/') + 1);
  if (own !== path && !own.startsWith(`${path}:`)) return undefined;
  return digest ?? (own === path ? 'latest' : own.slice(path.length + 1));
}

/** Services that run an image, by its digest or one of its tags. */
export function usersOf(
  { imageDigest = '', imageTags = [] }: ImageDetail,
  uses: RepositoryData['usedBy'],
): readonly string[] {
  const services = [imageDigest, ...imageTags].flatMap((version) => uses.get(version) ?? []);
  return [...new Set(services.map(({ clusterArn, serviceName = '' }) => `${lastOf(clusterArn)}/${serviceName}`))];
}

/** How many findings of each severity a scan had, the worst first; undefined where there was none. */
export function findingsOf({ imageScanStatus, imageScanFindingsSummary }: ImageDetail): string | undefined {
  if (imageScanStatus?.status !== 'COMPLETE' && imageScanStatus?.status !== 'ACTIVE') return undefined;
  const counts = imageScanFindingsSummary?.findingSeverityCounts ?? {};
  const found = (['CRITICAL', 'HIGH', 'MEDIUM', 'LOW'] as const).flatMap((severity) =>
    counts[severity] === undefined ? [] : [`${counts[severity]} ${severity.toLowerCase()}`],
  );
  return found.length === 0 ? 'nothing found' : found.join(', ');
}
