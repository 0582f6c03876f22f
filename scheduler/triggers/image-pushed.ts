import { z } from 'zod';

import { digestForm } from '../references/index.ts';

/** The stream of the event log that the registry writes to. */
export const registryTopic = 'registry';

/** The event that a push commits together with the tag. */
export const imagePushed = 'image.pushed';

/** Data of an `image.pushed` event, as far as deployments care. Unknown members are left alone: the registry may add some. */
export const imagePushedData = z.object({
  account: z.string().regex(/^\d{12}$/),
  repository: z.string().min(1),
  /** Absent or null: pushed by digest. */
  tag: z.string().nullish(),
  digest: z.string().regex(digestForm),
  /** ARN of who pushed. */
  actor: z.string().optional(),
});

export type ImagePushed = z.infer<typeof imagePushedData>;
