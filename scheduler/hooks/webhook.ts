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

/** What a webhook is called with. */
export interface SignedCall {
  /** The same for each attempt, and no other call's; the signature is over it too. */
  readonly id: string;
  readonly payload: object;
  readonly secret: string;
}

/** What came of a call: an answer, of at most {@link largestAnswer} bytes, or why there is none, for people. */
export type Called = { readonly status: number; readonly body: Uint8Array } | { readonly failure: string };

/**
 * Asks a webhook: {@link callSigned} with the event of a deployment.
 * @param over ends it
 * @throws whatever `over` was aborted with
 */
export async function askWebhook(
  ports: Pick<HookPorts, 'outbound' | 'clock'>,
  url: string,
  { payload, secret }: { readonly payload: HookPayload; readonly secret: string },
  over: AbortSignal,
): Promise<HookAnswer> {
  const called = await callSigned(ports, url, { id: payload.executionId, payload, secret }, over);
  return 'failure' in called ? { status: 'FAILED', reason: called.failure } : parseAnswer(called.status, called.body);
}

/**
 * Calls a webhook: `POST` with the payload as JSON, signed. No redirect is followed. An address that cannot be reached, or whose connection
 * breaks before the head of an answer, is tried three times, always with the same id; any answer is the last word, and so is the end of the time.
 * @param over ends it
 * @throws whatever `over` was aborted with
 */
export async function callSigned(
  { outbound, clock }: Pick<HookPorts, 'outbound' | 'clock'>,
  url: string,
  { id, payload, secret }: SignedCall,
  over: AbortSignal,
): Promise<Called> {
  if (URL.parse(url)?.protocol !== 'https:') return { failure: 'its address does not begin with https://' };
  const body = Buffer.from(JSON.stringify(payload));
  const ask = async (): Promise<Called> => {
    const seconds = Math.floor(clock.now() / 1000);
    const answer = await outbound.fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'user-agent': 'slipway',
        [executionHeader]: id,
        [signatureHeader]: signatureOf(secret, id, seconds, body),
      },
      body,
      signal: over,
      maxBytes: largestAnswer,
      timeoutMs: timeLimit,
    });
    return { status: answer.status, body: new Uint8Array(await answer.arrayBuffer()) };
  };
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      over.throwIfAborted();
      if (!(error instanceof OutboundError)) throw error;
      const pause = error.kind === 'unreachable' ? pauses[attempt] : undefined;
      if (pause === undefined) return { failure: sentence(error) };
      await clock.sleep(pause, over);
    }
  }
}

/** The client's words without their stop, to go on with; never its detail, which would tell what our network looks like. */
const sentence = ({ message }: OutboundError): string =>
  `${message.charAt(0).toLowerCase()}${message.slice(1).replace(/\.$/, '')}`;
