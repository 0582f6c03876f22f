import type { AccessList } from '@slipway/auth/contract';

import { parsePattern } from '../patterns/index.ts';
import { idDigits, isPosition, positionAt } from '../store/index.ts';

import { invalid } from './errors.ts';
import { groupAsSent, oneGroup } from './names.ts';
import { type LogsOperations, mayOn, operation, type Scene } from './operation.ts';
import { byEither, flag, list, nextPage, number, required, struct, text, texts } from './shapes.ts';

/** Events of one page (API reference); a page also ends at 1 MiB. */
const mostEvents = 10_000;

const event = { timestamp: number, message: text, ingestionTime: number } as const;
const range = { ...byEither, ...nextPage, startTime: number, endTime: number, unmask: flag } as const;

/** Who reads what is masked needs to be allowed that as well, though nothing is masked here. */
const mayRead =
  <I extends { readonly unmask?: boolean | undefined }>(
    action: string,
    of: (input: I, scene: Scene) => { readonly group: string; readonly stream?: string },
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => {
    const read = await mayOn<I>(action, of)(input, scene);
    if (input.unmask !== true) return read;
    const { group } = of(input, scene);
    return [...read, ...(await mayOn<I>('Unmask', () => ({ group }))(input, scene))];
  };

/** Events: of one stream in either direction, and of a group by a pattern. */
export const readOperations: LogsOperations = {
  GetLogEvents: operation({
    input: struct('GetLogEventsRequest', { ...range, logStreamName: required(text), startFromHead: flag }),
    output: struct('GetLogEventsResponse', {
      events: list(struct('OutputLogEvent', event)),
      nextForwardToken: text,
      nextBackwardToken: text,
    }),
    access: mayRead('GetLogEvents', (input, scene) => ({
      group: groupAsSent(scene, input),
      stream: input.logStreamName,
    })),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { startTime: start, endTime: end, limit = mostEvents } = input;
      const token = input.nextToken === undefined ? undefined : readToken(input.nextToken);
      const direction = token?.direction ?? (input.startFromHead === true ? 'forward' : 'backward');
      const from = token?.position;
      const { events } = await api.logs.read(account, oneGroup(scene, input), input.logStreamName, {
        direction,
        limit,
        ...(from === undefined ? {} : { from }),
        ...(start === undefined ? {} : { start }),
        ...(end === undefined ? {} : { end }),
      });
      const tokens = tokensOf(events[0]?.id, events.at(-1)?.id, direction, from ?? positionAt(start ?? 0));
      return {
        events: events.map(({ timestamp, message, ingestionTime }) => ({ timestamp, message, ingestionTime })),
        ...tokens,
      };
    },
  }),
  FilterLogEvents: operation({
    input: struct('FilterLogEventsRequest', {
      ...range,
      logStreamNames: texts,
      logStreamNamePrefix: text,
      filterPattern: text,
      interleaved: flag,
    }),
    output: struct('FilterLogEventsResponse', {
      events: list(struct('FilteredLogEvent', { ...event, logStreamName: text, eventId: text })),
      searchedLogStreams: list(struct('SearchedLogStream', { logStreamName: text, searchedCompletely: flag })),
      nextToken: text,
    }),
    access: mayRead('FilterLogEvents', (input, scene) => ({ group: groupAsSent(scene, input) })),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const {
        logStreamNames: streams,
        logStreamNamePrefix: prefix,
        startTime: start,
        endTime: end,
        nextToken: after,
      } = input;
      if (streams !== undefined && prefix !== undefined)
        throw invalid('logStreamNames and logStreamNamePrefix cannot be specified together.');
      if (after !== undefined && !isPosition(after)) throw badToken();
      const { matches, needs } = parsePattern(input.filterPattern ?? '');
      const { events, next } = await api.logs.scan(account, oneGroup(scene, input), {
        ...(streams === undefined ? {} : { streams }),
        ...(prefix === undefined ? {} : { prefix }),
        ...(start === undefined ? {} : { start }),
        // The last millisecond is part of it.
        ...(end === undefined ? {} : { end: end + 1 }),
        ...(after === undefined ? {} : { after }),
        limit: input.limit ?? mostEvents,
        terms: needs,
        matches: ({ message }) => matches(message),
        signal: scene.call.signal,
      });
      return {
        events: events.map(({ id, stream, ...found }) => ({ ...found, logStreamName: stream, eventId: id })),
        // Which streams were searched AWS does not say any more either.
        searchedLogStreams: [],
        ...(next === undefined ? {} : { nextToken: next }),
      };
    },
  }),
};

type Direction = 'forward' | 'backward';

/** A token is a direction and the position that the next page begins at. @throws InvalidParameterException */
function readToken(token: string): { readonly direction: Direction; readonly position: string } {
  const [, direction, position = ''] = /^([fb])\/(\d+)\/s$/.exec(token) ?? [];
  if (direction === undefined || !isPosition(position)) throw badToken();
  return { direction: direction === 'f' ? 'forward' : 'backward', position };
}

const badToken = () => invalid('The specified nextToken is invalid.');

/**
 * The tokens of a page: forward from its last event, backward from its first. A page without events is where its token led: whoever
 * goes on in that direction gets the same token again, by which clients know the end, and whoever turns round gets the events before it.
 */
function tokensOf(first: string | undefined, last: string | undefined, direction: Direction, at: string) {
  const forward = last ?? (direction === 'forward' ? at : beside(at, -1n));
  const backward = first ?? (direction === 'backward' ? at : beside(at, 1n));
  return { nextForwardToken: `f/${forward}/s`, nextBackwardToken: `b/${backward}/s` };
}

/** The position next to one. */
export function beside(position: string, by: 1n | -1n): string {
  const moved = BigInt(position) + by;
  return moved < 0n ? position : moved.toString().padStart(idDigits, '0');
}
