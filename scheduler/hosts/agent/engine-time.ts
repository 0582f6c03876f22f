import { type Clock, settling, waitAtMost } from '@slipway/storage/clock';

/** How long an engine may take, as amazon-ecs-agent has it. Milliseconds. */
const limits = { created: 240_000, running: 180_000 } as const;

/**
 * The engine was asked for something so long ago that nobody waits for it any more; the message is the reason, in the words of
 * amazon-ecs-agent. It may do it yet.
 */
export class EngineTimeout extends Error {
  override readonly name = 'EngineTimeout';
}

/** Waits for an engine that makes or starts a container, and not for ever: its task could not even be stopped meanwhile. @throws EngineTimeout */
export async function inTime<T>(status: keyof typeof limits, clock: Clock, asked: Promise<T>): Promise<T> {
  const limit = limits[status];
  let isAnswered = false;
  const answer = asked.finally(() => (isAnswered = true));
  // What it says later nobody hears.
  answer.catch(() => undefined);
  await waitAtMost(limit, settling(answer), clock);
  if (isAnswered) return answer;
  throw new EngineTimeout(
    `ContainerRuntimeTimeoutError: Could not transition to ${status}; timed out after waiting ${limit / 60_000}m0s`,
  );
}
