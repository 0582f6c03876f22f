import type { ServiceRef } from '../../services/index.ts';
import { ImageNotUsable, type Roller } from '../roller.ts';

import { WebhookError } from './web.ts';

/** What became of a delivery: what it was answered, as it is kept. */
export interface Outcome {
  readonly status: number;
  readonly answer: string;
}

/**
 * Does what a delivery is for, once whoever it acts for was found to be allowed it.
 * @param redeliveredBy who has it done again, for the cause of the deployment
 * @returns with `error`, what its sender is to be told; the delivery may then be tried again
 */
export async function carryOut(
  roller: Roller,
  place: ServiceRef,
  {
    id,
    image,
    now,
    redeliveredBy,
  }: {
    readonly id: string;
    readonly image: string | undefined;
    readonly now: number;
    readonly redeliveredBy?: string;
  },
): Promise<Outcome & { readonly error?: unknown }> {
  const by = `webhook ${id}${redeliveredBy === undefined ? '' : `, redelivered by ${redeliveredBy}`}`;
  const occasion = { kind: 'webhook', at: now, by, authorized: true } as const;
  try {
    const started = await roller.rollService(place, image === undefined ? occasion : { ...occasion, image });
    return started ? { status: 202, answer: 'started' } : { status: 200, answer: 'nothing to do' };
  } catch (error) {
    if (error instanceof ImageNotUsable)
      return { status: 422, answer: error.message, error: new WebhookError(422, 'image', error.message) };
    return { status: 500, answer: 'It failed on our side; send it again.', error };
  }
}
