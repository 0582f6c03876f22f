/** What a webhook says of the asking. */
export type HookAnswer =
  | { readonly status: 'SUCCEEDED' }
  /** @property reason for people */
  | { readonly status: 'FAILED'; readonly reason: string }
  /** @property askAgainIn milliseconds; @property details a JSON object that it is told again, with those before it */
  | { readonly status: 'IN_PROGRESS'; readonly askAgainIn: number; readonly details: object };

/** The largest answer that is read. Bytes. */
export const largestAnswer = 65_536;

/** Seconds between two askings, when the answer does not say (ECS: `callBackDelay`). */
const defaultDelay = 30;

/** Seconds; what asks for less is asked no more often than each second, and what asks for more is asked each hour. */
const delays = { least: 1, most: 3600 };

/** How deep objects and lists in `hookDetails` may lie in each other: whoever reads them later goes into each. */
const deepest = 32;

/** How much a hook may have kept for it, characters of JSON, all of its answers together. */
export const mostDetails = 16_384;

/**
 * Reads an answer. Everything that is not one fails the hook, as on ECS a Lambda function does that answers without a valid `hookStatus`.
 * @param body at most {@link largestAnswer} bytes, as they came
 */
export function parseAnswer(status: number, body: Uint8Array): HookAnswer {
  if (status < 200 || status > 299) return failed(`it answered with HTTP status ${status}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    return failed('its answer is not JSON');
  }
  if (!isObject(value)) return failed('its answer is not a JSON object');
  const { hookStatus, callBackDelay, hookDetails } = value;
  switch (hookStatus) {
    case 'SUCCEEDED':
      return { status: 'SUCCEEDED' };
    case 'FAILED':
      return failed('it answered FAILED');
    case 'IN_PROGRESS':
      break;
    default:
      return failed('its answer has no hookStatus of SUCCEEDED, FAILED or IN_PROGRESS');
  }
  const delay = callBackDelay ?? defaultDelay;
  if (typeof delay !== 'number' || !(delay >= 0))
    return failed('callBackDelay in its answer is not a number of seconds');
  const details = hookDetails ?? {};
  if (!isObject(details)) return failed('hookDetails in its answer is not a JSON object');
  if (isDeeper(details, deepest)) return failed(`hookDetails in its answer is more than ${deepest} levels deep`);
  return {
    status: 'IN_PROGRESS',
    askAgainIn: Math.min(Math.max(delay, delays.least), delays.most) * 1000,
    details,
  };
}

const failed = (reason: string): HookAnswer => ({ status: 'FAILED', reason });

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether objects and lists lie deeper in each other than so many levels; level by level, as the stack has an end. */
function isDeeper(value: unknown, levels: number): boolean {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((one) => (typeof one === 'object' && one !== null ? Object.values(one) : []));
  }
  return false;
}
