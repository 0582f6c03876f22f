import { type NewLogEvent, positionAt } from '../store/index.ts';

import { groupMissing, invalid, streamMissing } from './errors.ts';
import { day, mostAge, mostAhead } from './event-times.ts';
import { type LogsOperations, mayOn, operation } from './operation.ts';
import { byStream, list, map, number, required, struct, text } from './shapes.ts';

/** A batch: its size, with what each event counts beside its text, and how far its events lie apart (API reference, PutLogEvents). */
const mostBytes = 1_048_576;
const bytesOfEvent = 26;
const mostSpan = day;
/** A message of nothing but characters that JSON escapes is six times as long there. */
const mostBody = 8 * mostBytes;

const noEntity = { errorType: 'UnsupportedLogGroupType' } as const;

/** Where events are left out of a batch: those at and after `tooNew`, and those before the others. */
interface Rejected {
  readonly tooNewLogEventStartIndex?: number;
  readonly tooOldLogEventEndIndex?: number;
  readonly expiredLogEventEndIndex?: number;
}

export const putOperations: LogsOperations = {
  PutLogEvents: operation({
    input: struct('PutLogEventsRequest', {
      ...byStream,
      logEvents: required(list(struct('InputLogEvent', { timestamp: required(number), message: required(text) }))),
      sequenceToken: text,
      entity: struct('Entity', { keyAttributes: map(text), attributes: map(text) }),
    }),
    output: struct('PutLogEventsResponse', {
      nextSequenceToken: text,
      rejectedLogEventsInfo: struct('RejectedLogEventsInfo', {
        tooNewLogEventStartIndex: number,
        tooOldLogEventEndIndex: number,
        expiredLogEventEndIndex: number,
      }),
      rejectedEntityInfo: struct('RejectedEntityInfo', { errorType: required(text) }),
    }),
    bodyBytes: mostBody,
    access: mayOn('PutLogEvents', ({ logGroupName, logStreamName }) => ({
      group: logGroupName,
      stream: logStreamName,
    })),
    handle: async (input, { api, account }) => {
      const { logGroupName, logStreamName, logEvents } = input;
      checkBatch(logEvents);
      const group = await api.logs.group(account, logGroupName);
      if (group === undefined) throw groupMissing();
      const now = api.clock.now();
      const { taken, rejected } = sorted(logEvents, now, group.retentionInDays);
      if (taken.length > 0) await api.logs.put(account, logGroupName, logStreamName, taken);
      else if ((await api.logs.stream(account, logGroupName, logStreamName)) === undefined) throw streamMissing();
      return {
        // Nobody checks it any more; older clients want one to send with their next events.
        nextSequenceToken: positionAt(now),
        ...(rejected === undefined ? {} : { rejectedLogEventsInfo: rejected }),
        // Events are of no entity here, and whoever says of which they are is told so; the events are taken.
        ...(input.entity === undefined ? {} : { rejectedEntityInfo: noEntity }),
      };
    },
  }),
};

/** @throws InvalidParameterException for a batch of which nothing is taken */
function checkBatch(events: readonly NewLogEvent[]): void {
  let bytes = 0;
  let last = 0;
  for (const { timestamp, message } of events) {
    const size = Buffer.byteLength(message) + bytesOfEvent;
    if (size > mostBytes) throw invalid(`Log event too large: ${size} bytes exceeds limit of ${mostBytes}`);
    bytes += size;
    if (timestamp < last) throw invalid('Log events in a single PutLogEvents request must be in chronological order.');
    last = timestamp;
  }
  if (bytes > mostBytes) throw invalid(`Upload too large: ${bytes} bytes exceeds limit of ${mostBytes}`);
  if (last - (events[0]?.timestamp ?? last) > mostSpan)
    throw invalid('The batch of log events in a single PutLogEvents request cannot span more than 24 hours.');
}

/** The events that are taken, and where those are that are not. @param events ascending */
function sorted(
  events: readonly NewLogEvent[],
  now: number,
  retentionInDays: number | undefined,
): { readonly taken: readonly NewLogEvent[]; readonly rejected: Rejected | undefined } {
  const before = (time: number): number => {
    const index = events.findIndex(({ timestamp }) => timestamp >= time);
    return index === -1 ? events.length : index;
  };
  const tooNew = before(now + mostAhead + 1);
  const tooOld = before(now - mostAge);
  const expired = retentionInDays === undefined ? 0 : before(now - retentionInDays * day);
  const rejected: Rejected = {
    ...(tooNew < events.length ? { tooNewLogEventStartIndex: tooNew } : {}),
    ...(tooOld > 0 ? { tooOldLogEventEndIndex: tooOld } : {}),
    ...(expired > 0 ? { expiredLogEventEndIndex: expired } : {}),
  };
  return {
    taken: events.slice(Math.max(tooOld, expired), tooNew),
    rejected: Object.keys(rejected).length === 0 ? undefined : rejected,
  };
}
