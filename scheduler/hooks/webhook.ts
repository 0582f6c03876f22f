import { signatureHeader, signatureOf } from '@slipway/auth/kit';
import { OutboundError } from '@slipway/auth/outbound';

import { type HookAnswer, largestAnswer, parseAnswer } from './answer.ts';
import type { HookPayload } from './payload.ts';
import type { HookPorts } from './ports.ts';

/** The header that says which execution it is, before the body is read: the signature is over it too. */
export const executionHeader = 'slipway-execution';

/** Milliseconds for one call with everything in it. What takes longer answers IN_PROGRESS. */
const timeLimit = 30_000;

/** Milliseconds before a call whose address could not be reached is made again. */
const pauses = [1_000, 2_000];

/**
 * Asks a webhook: `POST` with the payload as JSON, signed. No redirect is followed. An address that cannot be reached, or whose connection
 * breaks before the head of an answer, is tried three times, always as the same execution; any answer is the last word, and so is the end of the time.
 * @param over ends it
 * @throws whatever `over` was aborted with
 */
export async function askWebhook(
  { outbound, clock }: Pick<HookPorts, 'outbound' | 'clock'>,
  url: string,
  { payload, secret }: { readonly payload: HookPayload; readonly secret: string },
  over: AbortSignal,
): Promise<HookAnswer> {
  if (URL.parse(url)?.protocol !== 'https:')
    return { status: 'FAILED', reason: 'its address does not begin with https://' };
  const body = Buffer.from(JSON.stringify(payload));
  const ask = async (): Promise<HookAnswer> => {
    const seconds = Math.floor(clock.now() / 1000);
    const answer = await outbound.fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'slipway',
        [executionHeader]: payload.executionId,
        [signatureHeader]: signatureOf(secret, payload.executionId, seconds, body),
      },
      body,
      signal: over,
      maxBytes: largestAnswer,
      timeoutMs: timeLimit,
    });
    return parseAnswer(answer.status, new Uint8Array(await answer.arrayBuffer()));
  };
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      over.throwIfAborted();
      if (!(error instanceof OutboundError)) throw error;
      const pause = error.kind === 'unreachable' ? pauses[attempt] : undefined;
      if (pause === undefined) return { status: 'FAILED', reason: sentence(error) };
      await clock.sleep(pause, over);
    }
  }
}

/** The client's words without their stop, to go on with; never its detail, which would tell what our network looks like. */
const sentence = ({ message }: OutboundError): string =>
  `${message.charAt(0).toLowerCase()}${message.slice(1).replace(/\.$/, '')}`;
