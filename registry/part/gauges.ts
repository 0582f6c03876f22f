import type { PartGauge } from '@slipway/auth/contract';
import { type Images, keys, registryPartition } from '../images/index.ts';

/** How many are counted at most: beyond it the number says "very many". */
const countedUploads = 10_000;
/** How many repositories are shown at most, so that a scrape stays small; beyond it the largest are not looked for. */
const shownRepositories = 1000;

/** What one account's registry holds, counted in the records when somebody asks. */
export function registryGauges(images: Images, account: string): readonly PartGauge[] {
  const ofRepositories = (name: string, help: string, of: 'images' | 'bytes'): PartGauge => ({
    name,
    help,
    labels: ['repository'],
    across: 'one',
    read: async () => {
      const { repositories } = await images.repositories.list(account, { limit: shownRepositories });
      return Promise.all(
        repositories.map(async ({ name: repository }) => ({
          labels: { repository },
          value: (await images.repositories.count(account, repository))[of],
        })),
      );
    },
  });
  return [
    {
      name: 'slipway_registry_uploads_open',
      help: `Uploads under way, at most ${countedUploads}`,
      labels: [],
      across: 'one',
      read: async () => {
        const uploads = { prefix: keys.uploads, limit: countedUploads };
        const page = await images.ports.records.list(registryPartition(account), uploads);
        return [{ labels: {}, value: page.records.length }];
      },
    },
    ofRepositories('slipway_registry_repository_images', 'Images in a repository', 'images'),
    ofRepositories(
      'slipway_registry_repository_bytes',
      'Compressed bytes of images in a repository, as ECR counts them',
      'bytes',
    ),
  ];
}
