import { type CloudWatchLogsClient, paginateGetLogEvents } from '@aws-sdk/client-cloudwatch-logs';

/** All that a log stream holds, from its beginning, as a client of CloudWatch Logs reads it. */
export async function streamLines(
  client: CloudWatchLogsClient,
  logGroupName: string,
  logStreamName: string,
): Promise<string[]> {
  const found: string[] = [];
  const pages = paginateGetLogEvents(
    { client, stopOnSameToken: true },
    { logGroupName, logStreamName, startFromHead: true },
  );
  for await (const { events = [] } of pages) found.push(...events.map(({ message = '' }) => message));
  return found;
}
