import { pageSize } from '@slipway/auth/kit';

import { type LogStream, positionAt } from '../store/index.ts';

import { invalid } from './errors.ts';
import { groupAsSent, oneGroup, streamArn } from './names.ts';
import { type LogsOperations, mayOn, operation, type Scene } from './operation.ts';
import { byEither, byStream, flag, list, nextPage, nothing, number, struct, text } from './shapes.ts';

const stream = struct('LogStream', {
  logStreamName: text,
  creationTime: number,
  firstEventTimestamp: number,
  lastEventTimestamp: number,
  lastIngestionTime: number,
  uploadSequenceToken: text,
  arn: text,
  storedBytes: number,
});

/** Log streams of a group: made, listed by name or by their last event, and deleted. */
export const streamOperations: LogsOperations = {
  CreateLogStream: operation({
    input: struct('CreateLogStreamRequest', byStream),
    output: nothing,
    // As on AWS the stream is named: a policy may let a task make its own and no other.
    access: mayOn('CreateLogStream', ({ logGroupName, logStreamName }) => ({
      group: logGroupName,
      stream: logStreamName,
    })),
    handle: async ({ logGroupName, logStreamName }, { api, account }) => {
      await api.logs.createStream(account, logGroupName, logStreamName);
      return {};
    },
  }),
  DescribeLogStreams: operation({
    input: struct('DescribeLogStreamsRequest', {
      ...byEither,
      ...nextPage,
      logStreamNamePrefix: text,
      orderBy: text,
      descending: flag,
    }),
    output: struct('DescribeLogStreamsResponse', { logStreams: list(stream), nextToken: text }),
    access: mayOn('DescribeLogStreams', (input, scene) => ({ group: groupAsSent(scene, input) })),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { logStreamNamePrefix: prefix, orderBy = 'LogStreamName', descending = false } = input;
      const group = oneGroup(scene, input);
      if (orderBy === 'LastEventTime' && prefix !== undefined)
        throw invalid('Cannot order by LastEventTime with a logStreamNamePrefix.');
      const name = ['DescribeLogStreams', group, prefix, orderBy, descending];
      const request = { nextToken: input.nextToken, maxResults: input.limit };
      const limit = pageSize(sizes, request);
      const last = await api.pages.start(account, name, request);
      const { streams, more } = await api.logs.streams(account, group, {
        order: orderBy === 'LastEventTime' ? 'lastEvent' : 'name',
        descending,
        limit,
        ...(prefix === undefined ? {} : { prefix }),
        ...(last === undefined ? {} : { after: JSON.parse(last) as Pick<LogStream, 'name' | 'lastEventAt'> }),
      });
      const end = streams.at(-1);
      const place = end && JSON.stringify({ name: end.name, lastEventAt: end.lastEventAt });
      return {
        logStreams: streams.map((found) => described(scene, group, found)),
        ...(more && place !== undefined ? { nextToken: await api.pages.token(account, name, place) } : {}),
      };
    },
  }),
  DeleteLogStream: operation({
    input: struct('DeleteLogStreamRequest', byStream),
    output: nothing,
    access: mayOn('DeleteLogStream', ({ logGroupName, logStreamName }) => ({
      group: logGroupName,
      stream: logStreamName,
    })),
    handle: async ({ logGroupName, logStreamName }, { api, account }) => {
      await api.logs.deleteStream(account, logGroupName, logStreamName);
      return {};
    },
  }),
};

/** How many results a page of groups or streams has. */
export const sizes = {
  usual: 50,
  most: 50,
  badSize: (_asked: number, most: number) => invalid(`limit must be between 1 and ${most}.`),
} as const;

function described(scene: Scene, group: string, found: LogStream) {
  return {
    logStreamName: found.name,
    creationTime: found.createdAt,
    ...(found.firstEventAt === undefined ? {} : { firstEventTimestamp: found.firstEventAt }),
    ...(found.lastEventAt === undefined ? {} : { lastEventTimestamp: found.lastEventAt }),
    ...(found.lastIngestionAt === undefined ? {} : { lastIngestionTime: found.lastIngestionAt }),
    // Nobody checks it any more; older drivers send it with their next events.
    uploadSequenceToken: positionAt(found.lastIngestionAt ?? found.createdAt),
    arn: streamArn(scene, group, found.name),
    // Of streams AWS has said 0 since 2019.
    storedBytes: 0,
  };
}
