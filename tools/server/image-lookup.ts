import { everyImage, type Images } from '@slipway/registry/images';
import type { PolicyCheck } from '@slipway/registry/scanning';
import type { createTriggers } from '@slipway/scheduler/triggers';

type Lookup = Parameters<typeof createTriggers>[0]['images'];

/**
 * What the scheduler may ask of the registry: what a tag points to now, which tags there are, and whether a scan forbids an image. The two packages never
 * import each other; this is the place where they meet besides the event log.
 */
export function imageLookup(images: Images, policy: Pick<PolicyCheck, 'rollout'>): Lookup {
  return {
    resolve: async (account, repository, tag) => (await images.resolve(account, repository, tag))?.digest,
    refusal: (account, repository, digest) => policy.rollout(account, repository, digest),
    async *tags(account, repository) {
      for await (const { tags, pushedAt } of everyImage(images, account, repository)) {
        for (const tag of tags) yield { tag, pushedAt };
      }
    },
  };
}
