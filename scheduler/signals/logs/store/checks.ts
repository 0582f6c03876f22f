import { LogNameTooLong, nameBytes, type NewLogEvent } from './contract.ts';

export const messageLimit = 1024 * 1024;
const timeLimit = 9_999_999_999_999;

/** What AWS adds to the size of each message. */
export const eventOverhead = 26;

/**
 * @returns the bytes of the messages, `eventOverhead` added for each
 * @throws RangeError for a timestamp or a message out of bounds
 */
export function checkEvents(events: readonly NewLogEvent[]): number {
  let size = 0;
  for (const { timestamp, message } of events) {
    if (!Number.isSafeInteger(timestamp) || timestamp < 0 || timestamp > timeLimit)
      throw new RangeError(`the timestamp of an event is whole milliseconds up to ${timeLimit}, not ${timestamp}`);
    const bytes = Buffer.byteLength(message);
    if (bytes > messageLimit) throw new RangeError(`a message has at most ${messageLimit} bytes, not ${bytes}`);
    size += bytes + eventOverhead;
  }
  return size;
}

/** @throws LogNameTooLong */
export function checkName(what: 'log group' | 'log stream', name: string): void {
  if (isTooLong(name)) throw new LogNameTooLong(what);
}

export function isTooLong(name: string): boolean {
  return Buffer.byteLength(name) > nameBytes;
}
