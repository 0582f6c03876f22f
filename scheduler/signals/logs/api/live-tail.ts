import { AwsError } from '@slipway/auth/contract';

import { parsePattern } from '../patterns/index.ts';
import type { TailedEvent } from '../store/index.ts';

import { groupMissing, invalid } from './errors.ts';
import { groupArn, groupOfIdentifier, streamArn } from './names.ts';
import { type LogsOperations, operation, type Scene } from './operation.ts';
import { eventStream, flag, list, number, required, struct, text, texts } from './shapes.ts';

/** How often a session says what came, how much of it at most, and how long it lasts (API reference, StartLiveTail). */
const every = 1000;
const mostEvents = 500;
const longest = 3 * 3_600_000;
/** Sessions of an account on this server at once. */
const mostSessions = 15;

const asked = {
  logGroupIdentifiers: required(texts),
  logStreamNames: texts,
  logStreamNamePrefixes: texts,
  logEventFilterPattern: text,
} as const;

const responseStream = eventStream('StartLiveTailResponseStream', {
  sessionStart: struct('LiveTailSessionStart', {
    requestId: text,
    sessionId: text,
    logGroupIdentifiers: texts,
    logStreamNames: texts,
    logStreamNamePrefixes: texts,
    logEventFilterPattern: text,
  }),
  sessionUpdate: struct('LiveTailSessionUpdate', {
    sessionMetadata: struct('LiveTailSessionMetadata', { sampled: flag }),
    sessionResults: list(
      struct('LiveTailSessionLogEvent', {
        logStreamName: text,
        logGroupIdentifier: text,
        message: text,
        timestamp: number,
        ingestionTime: number,
      }),
    ),
  }),
});

/** Events as they come, of up to ten groups. */
export const tailOperations: LogsOperations = {
  StartLiveTail: operation({
    input: struct('StartLiveTailRequest', asked),
    output: struct('StartLiveTailResponse', { responseStream }),
    access: async ({ logGroupIdentifiers }, scene) => {
      const groups = logGroupIdentifiers.map((one) => groupOfIdentifier(scene, one));
      const found = await Promise.all(groups.map((one) => scene.api.logs.group(scene.account, one)));
      const resources = groups.map((one, index) => {
        const group = found[index];
        return { arn: streamArn(scene, one), ...(group === undefined ? {} : { tags: group.tags }) };
      });
      return [{ action: 'logs:StartLiveTail', resources }];
    },
    handle: async (input, scene) => {
      const { api, account, call } = scene;
      const { logStreamNames: streams, logStreamNamePrefixes: prefixes } = input;
      if (streams !== undefined && prefixes !== undefined)
        throw invalid('logStreamNames and logStreamNamePrefixes cannot be specified together.');
      if (input.logGroupIdentifiers.length > 1 && (streams !== undefined || prefixes !== undefined))
        throw invalid('Streams can be chosen when one log group is given.');
      const pattern = parsePattern(input.logEventFilterPattern ?? '');
      const groups = input.logGroupIdentifiers.map((one) => groupOfIdentifier(scene, one));
      for (const group of groups) if ((await api.logs.group(account, group)) === undefined) throw groupMissing();
      sessionsOf(scene);
      const start = {
        ...input,
        logGroupIdentifiers: groups.map((group) => groupArn(scene, group)),
        requestId: call.requestId,
        sessionId: call.requestId,
        logEventFilterPattern: pattern.text,
      };
      const wanted = groups.map((group) => ({ group, ...(streams === undefined ? {} : { streams }) }));
      const takes = (event: TailedEvent): boolean =>
        pattern.matches(event.message) && (prefixes?.some((one) => event.stream.startsWith(one)) ?? true);
      return { responseStream: session(scene, { start, wanted, takes }) };
    },
  }),
};

/** How many sessions the account has here. @throws LimitExceededException when another one would be too many */
function sessionsOf({ api, account }: Scene): number {
  const open = api.sessions.get(account) ?? 0;
  if (open < mostSessions) return open;
  throw new AwsError(
    'LimitExceededException',
    `There are ${mostSessions} live tail sessions already. End one of them.`,
  );
}

interface Session {
  readonly start: object;
  readonly wanted: readonly { readonly group: string; readonly streams?: readonly string[] }[];
  readonly takes: (event: TailedEvent) => boolean;
}

/** What a session sends: that it begins, and then each second what came in it. It counts from when it is read to when it ends. */
async function* session(scene: Scene, { start, wanted, takes }: Session) {
  const { api, account, call } = scene;
  const { clock, logs, sessions } = api;
  // Others that were answered at the same time may have begun first.
  sessions.set(account, sessionsOf(scene) + 1);
  const over = new AbortController();
  const stop = (): void => over.abort();
  call.signal.addEventListener('abort', stop, { once: true });
  if (call.signal.aborted) stop();
  let kept: TailedEvent[] = [];
  let sampled = false;
  let failure: unknown;
  const reading = (async () => {
    for await (const { events, gap } of logs.tail(account, wanted, over.signal)) {
      const found = events.filter(takes);
      sampled ||= gap || kept.length + found.length > mostEvents;
      kept.push(...found.slice(0, mostEvents - kept.length));
    }
  })().catch((error: unknown) => {
    failure = error;
    stop();
  });
  try {
    yield { sessionStart: start };
    for (const until = clock.now() + longest; clock.now() < until;) {
      await clock.sleep(every, over.signal).catch(() => undefined);
      if (over.signal.aborted) break;
      const results = kept;
      const metadata = { sampled };
      kept = [];
      sampled = false;
      yield {
        sessionUpdate: {
          sessionMetadata: metadata,
          sessionResults: results.map(({ stream, group, message, timestamp, ingestionTime }) => ({
            logStreamName: stream,
            logGroupIdentifier: groupArn(scene, group),
            message,
            timestamp,
            ingestionTime,
          })),
        },
      };
    }
    if (failure !== undefined)
      throw new AwsError('SessionStreamingException', 'The logs cannot be read now. Start the session again.', {
        cause: failure,
      });
    if (!call.signal.aborted)
      throw new AwsError('SessionTimeoutException', 'The session has lasted three hours. Start another one.');
  } finally {
    stop();
    call.signal.removeEventListener('abort', stop);
    const left = (sessions.get(account) ?? 1) - 1;
    if (left === 0) sessions.delete(account);
    else sessions.set(account, left);
    await reading;
  }
}
