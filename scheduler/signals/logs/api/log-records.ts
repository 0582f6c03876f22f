import { AwsError } from '@slipway/auth/contract';

import { objectIn } from '../insights/index.ts';
import { pointerOf, readPointer } from '../queries/index.ts';
import { LogStreamMissing, positionAt } from '../store/index.ts';

import { invalid } from './errors.ts';
import { beside } from './get-events.ts';
import { groupAsSent, oneGroup } from './names.ts';
import { type LogsOperations, mayOn, operation } from './operation.ts';
import { byEither, flag, list, map, number, required, struct, text } from './shapes.ts';

/** Fields of one event that are told, at most, how deep they may lie, and how long their paths may be: each has the names above it again. */
const mostFields = 1000;
const deepest = 20;
const longestPath = 1024;
/** Events of a group that GetLogGroupFields looks at, at most. */
const mostSampled = 1000;
const minute = 60_000;

/** Single events with all their fields, and the fields that a group has. */
export const logRecordOperations: LogsOperations = {
  GetLogRecord: operation({
    input: struct('GetLogRecordRequest', { logRecordPointer: required(text), unmask: flag }),
    output: struct('GetLogRecordResponse', { logRecord: map(text) }),
    access: async (input, scene) => {
      const group = readPointer(input.logRecordPointer)?.group ?? '';
      const read = await mayOn<typeof input>('GetLogRecord', () => ({ group }))(input, scene);
      return input.unmask === true
        ? [...read, ...(await mayOn<typeof input>('Unmask', () => ({ group }))(input, scene))]
        : read;
    },
    handle: async ({ logRecordPointer }, { api, account }) => {
      const pointed = readPointer(logRecordPointer);
      if (pointed === undefined) throw invalid('The specified logRecordPointer is invalid: @ptr of a query has them.');
      const { group, stream, id } = pointed;
      const missing = (): AwsError =>
        new AwsError('ResourceNotFoundException', 'The specified log event does not exist.');
      const { events } = await api.logs
        .read(account, group, stream, { direction: 'forward', from: beside(id, -1n), limit: 1 })
        .catch((error: unknown) => {
          throw error instanceof LogStreamMissing ? missing() : error;
        });
      const [event] = events;
      if (event?.id !== id) throw missing();
      return {
        logRecord: {
          ...Object.fromEntries(fieldsOf(event.message)),
          '@timestamp': String(event.timestamp),
          '@ingestionTime': String(event.ingestionTime),
          '@message': event.message,
          '@logStream': stream,
          '@log': `${account}:${group}`,
          '@ptr': pointerOf(group, event),
        },
      };
    },
  }),
  GetLogGroupFields: operation({
    input: struct('GetLogGroupFieldsRequest', { ...byEither, time: number }),
    output: struct('GetLogGroupFieldsResponse', {
      logGroupFields: list(struct('LogGroupField', { name: text, percent: number })),
    }),
    access: mayOn('GetLogGroupFields', (input, scene) => ({ group: groupAsSent(scene, input) })),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const group = oneGroup(scene, input);
      // Eight minutes to either side, or the last fifteen. Times are seconds.
      const at = input.time === undefined ? undefined : input.time * 1000;
      const [start, end] =
        at === undefined ? [api.clock.now() - 15 * minute, undefined] : [at - 8 * minute, at + 8 * minute];
      const counts = new Map<string, number>();
      let sampled = 0;
      for (
        let after: string | undefined = positionAt(Math.max(0, start));
        after !== undefined && sampled < mostSampled;
      ) {
        const page = await api.logs.scan(account, group, {
          after,
          ...(end === undefined ? {} : { end }),
          limit: mostSampled - sampled,
          signal: scene.call.signal,
        });
        sampled += page.events.length;
        for (const { message } of page.events)
          for (const [name] of fieldsOf(message))
            if (counts.size < mostFields || counts.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
        after = page.next;
      }
      const always = ['@timestamp', '@message', '@logStream', '@log', '@ingestionTime', '@ptr'];
      const found = [...counts].toSorted(([one, few], [other, many]) => many - few || (one < other ? -1 : 1));
      return {
        logGroupFields:
          sampled === 0
            ? []
            : [
                ...always.map((name) => ({ name, percent: 100 })),
                ...found.map(([name, count]) => ({ name, percent: Math.round((100 * count) / sampled) })),
              ],
      };
    },
  }),
};

/** The fields of a message that is JSON, by their paths (`a.b.0`), as text; those whose paths are too long are left out. */
function fieldsOf(message: string): readonly (readonly [name: string, value: string])[] {
  const found: (readonly [string, string])[] = [];
  const pending: { readonly path: string; readonly value: unknown; readonly depth: number }[] = [
    { path: '', value: objectIn(message), depth: 0 },
  ];
  for (let next = pending.pop(); next !== undefined && found.length < mostFields; next = pending.pop()) {
    const { path, value, depth } = next;
    if (value === null || value === undefined || depth > deepest || path.length > longestPath) continue;
    if (typeof value !== 'object') {
      found.push([path, typeof value === 'boolean' ? (value ? '1' : '0') : String(value as string | number)]);
      continue;
    }
    // The first ones are looked at first.
    for (const [key, inner] of Object.entries(value).slice(0, mostFields).toReversed())
      pending.push({ path: path === '' ? key : `${path}.${key}`, value: inner, depth: depth + 1 });
  }
  return found;
}
