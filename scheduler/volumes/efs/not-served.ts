import { notDone } from './errors.ts';
import { type EfsOperations, mayList } from './options.ts';

const replicas = 'Replicate the share by your own means: tasks of every zone see the same files already.';
const tags = 'Use TagResource, UntagResource and ListTagsForResource.';

/** Every operation of the EFS API that is not served, and what to do instead; so that none is answered as if it did not exist. */
export const notServed = {
  CreateReplicationConfiguration: replicas,
  DeleteReplicationConfiguration: replicas,
  DescribeReplicationConfigurations: replicas,
  CreateTags: tags,
  DeleteTags: tags,
  DescribeTags: tags,
} as const satisfies Partial<Record<keyof EfsOperations, string>>;

/** Whoever may call them is told why that does nothing here; others are denied as ever. */
export function notServedOperations(): EfsOperations {
  return Object.fromEntries(
    Object.entries(notServed).map(([name, instead]) => [
      name,
      { access: () => [mayList(name)], handle: () => Promise.reject(notDone(name, instead)) },
    ]),
  );
}
