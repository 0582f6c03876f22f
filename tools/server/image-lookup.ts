import type { Images } from '@slipway/registry/images';
import type { createTriggers } from '@slipway/scheduler/triggers';

type Lookup = Parameters<typeof createTriggers>[0]['images'];

/**
 * What the scheduler may ask of the registry: what a tag points to now, and which tags there are. The two packages never
 * import each other; this is the place where they meet besides the event log.
 */
export function imageLookup(images: Images): Lookup {
  return {
    resolve: async (account, repository, tag) => (await images.resolve(account, repository, tag))?.digest,
    async *tags(account, repository) {
      for (let after: string | undefined, more = true; more;) {
        const page = await images.manifests.list(account, repository, {
          limit: 1000,
          ...(after === undefined ? {} : { after }),
        });
        for (const image of page.images) for (const tag of image.tags) yield { tag, pushedAt: image.pushedAt };
        after = page.images.at(-1)?.digest;
        more = page.more && after !== undefined;
      }
    },
  };
}
