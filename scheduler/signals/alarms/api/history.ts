import type { Row } from '@slipway/auth/kit';
import { scan } from '@slipway/storage/records';

import { alarmKeys, alarmsPartition, type HistoryRecord, mostHistory } from '../store/index.ts';
import { type AlarmOperations, mayList, operation, type Scene } from './operation.ts';
import { list, number, refused, struct, text, texts, time } from './shapes.ts';

const limits = { usual: 50, most: 100 };
const batch = 500;

const item = struct('AlarmHistoryItem', {
  AlarmName: text,
  AlarmType: text,
  Timestamp: time,
  HistoryItemType: text,
  HistorySummary: text,
  HistoryData: text,
});

export const historyOperations: AlarmOperations = {
  DescribeAlarmHistory: operation({
    input: struct('DescribeAlarmHistoryInput', {
      AlarmName: text,
      AlarmContributorId: refused(text, 'Alarms look at one series each, so that they have no contributors.'),
      AlarmTypes: texts,
      HistoryItemType: text,
      StartDate: time,
      EndDate: time,
      MaxRecords: number,
      NextToken: text,
      ScanBy: text,
    }),
    output: struct('DescribeAlarmHistoryOutput', { AlarmHistoryItems: list(item), NextToken: text }),
    access: mayList('DescribeAlarmHistory'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { AlarmName, AlarmTypes = ['MetricAlarm'], HistoryItemType, ScanBy = 'TimestampDescending' } = input;
      const from = input.StartDate?.getTime() ?? 0;
      const to = input.EndDate?.getTime() ?? Infinity;
      const name = ['DescribeAlarmHistory', AlarmName, AlarmTypes, HistoryItemType, ScanBy, from, String(to)];
      const request = { nextToken: input.NextToken, maxResults: input.MaxRecords };
      const after = await api.pages.start(account, name, request);
      // One alarm is asked for by its name, whatever it is.
      const types =
        AlarmName === undefined || input.AlarmTypes !== undefined ? AlarmTypes : ['MetricAlarm', 'CompositeAlarm'];
      const pick = (row: HistoryRecord) => {
        if (AlarmName !== undefined && row.alarm !== AlarmName) return undefined;
        if (HistoryItemType !== undefined && row.kind !== HistoryItemType) return undefined;
        if (row.at < from || row.at > to) return undefined;
        const type = row.composite ? 'CompositeAlarm' : 'MetricAlarm';
        if (!types.includes(type)) return undefined;
        return {
          AlarmName: row.alarm,
          AlarmType: type,
          Timestamp: new Date(row.at),
          HistoryItemType: row.kind,
          HistorySummary: row.summary.slice(0, 255),
          HistoryData: row.data.slice(0, 4095),
        };
      };
      const rows = rowsOf(scene, ScanBy === 'TimestampDescending', after);
      const { items, nextToken } = await api.pages.page(account, name, request, rows, pick, limits);
      return { AlarmHistoryItems: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

/** The newest first; the other way round all of them are read, which are at most {@link mostHistory}. */
async function* rowsOf(
  { api, account }: Scene,
  descending: boolean,
  after: string | undefined,
): AsyncGenerator<Row<HistoryRecord>> {
  const rows = scan<HistoryRecord>(api.records, alarmsPartition(account), {
    prefix: alarmKeys.history,
    limit: batch,
    ...(descending ? { after } : {}),
  });
  if (descending) {
    yield* rows;
    return;
  }
  const all: Row<HistoryRecord>[] = [];
  for await (const row of rows) if (all.length < mostHistory && (after === undefined || row.key < after)) all.push(row);
  yield* all.toReversed();
}
