import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const compress = promisify(gzip);

/** Events of one stream, in their order, that are told in one call. */
export interface Batch {
  readonly group: string;
  readonly stream: string;
  readonly filter: string;
  readonly events: readonly DeliveredEvent[];
}

export interface DeliveredEvent {
  readonly id: string;
  readonly timestamp: number;
  readonly message: string;
}

/** As a Lambda function gets it: gzip of JSON, as base64. */
async function wrapped(message: object): Promise<object> {
  const data = await compress(JSON.stringify(message), { level: 1 });
  return { awslogs: { data: data.toString('base64') } };
}

/** What a receiver is told of events (CloudWatch Logs user guide, "Subscriptions", the message of a Lambda function). */
export const payloadOf = (account: string, { group, stream, filter, events }: Batch): Promise<object> =>
  wrapped({
    messageType: 'DATA_MESSAGE',
    owner: account,
    logGroup: group,
    logStream: stream,
    subscriptionFilters: [filter],
    logEvents: events,
  });

/** What a receiver is told when a filter is put: it need not do anything but answer. */
export const controlMessage = (now: number): Promise<object> =>
  wrapped({
    messageType: 'CONTROL_MESSAGE',
    owner: 'CloudwatchLogs',
    logGroup: '',
    logStream: '',
    subscriptionFilters: [],
    logEvents: [{ id: '', timestamp: now, message: 'CWL CONTROL MESSAGE: Checking health of destination webhook.' }],
  });

/** The same for the same events, so that a receiver can tell a call that is made again. */
export function deliveryIdOf(subscription: string, { stream, events }: Batch): string {
  const names = [subscription, stream, events[0]?.id, events.at(-1)?.id, events.length];
  return createHash('sha256').update(JSON.stringify(names)).digest('hex').slice(0, 32);
}
