import { type AccessRequest, type Authorizer, AwsError, type Call, type Principal } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';

import { groupMissing, inOurWords } from '../api/errors.ts';
import { leftOut } from '../api/event-times.ts';
import { streamArn } from '../api/names.ts';
import {
  LogGroupExists,
  LogGroupMissing,
  type LogStore,
  LogStreamExists,
  LogStreamMissing,
  type Shipment,
  type ShippedMark,
} from '../store/index.ts';

export interface TaskLogsPorts {
  readonly logs: LogStore;
  readonly authorizer: Authorizer;
  readonly clock: Clock;
  readonly region: string;
}

/** With whose rights something is written. */
export interface LogWriter {
  readonly principal: Principal;
  /** What else policies may ask about. */
  readonly call: Call;
}

/** Where the output of a container goes, as the options of its log driver say. */
export interface ContainerStream {
  readonly group: string;
  /** Undefined while it is not known: then only the group is made. */
  readonly stream: string | undefined;
  /** `awslogs-create-group`. */
  readonly createGroup: boolean;
}

export interface Shipped {
  /** All up to here is durable. */
  readonly mark: ShippedMark | undefined;
  /** Events that were too old or too new, as PutLogEvents leaves them out. */
  readonly leftOut: number;
}

/**
 * What the log driver `awslogs` does for a container, with the rights of the role that it writes with: its stream (and group) when the
 * container starts, then its lines. Rights are asked for as the API asks for them, each time.
 */
export class TaskLogs {
  readonly #ports: TaskLogsPorts;

  constructor(ports: TaskLogsPorts) {
    this.#ports = ports;
  }

  /**
   * Makes the stream of a container unless it is there, and its group if that may be made (moby, `daemon/logger/awslogs`, `create`).
   * @returns how far the container's lines have come in it
   * @throws AwsError as the driver would meet it: ResourceNotFoundException, AccessDeniedException, …
   */
  async open(writer: LogWriter, to: ContainerStream): Promise<ShippedMark | undefined> {
    const { logs } = this.#ports;
    const { account } = writer.call;
    try {
      const found = await logs.group(account, to.group);
      await this.#check(writer, 'CreateLogStream', to.group, to.stream ?? '', found?.tags);
      if (found === undefined) await this.#createGroup(writer, to);
      if (to.stream === undefined) return undefined;
      await unless(LogStreamExists, logs.createStream(account, to.group, to.stream));
      return await logs.shipped(account, to.group, to.stream);
    } catch (error) {
      throw inOurWords(error);
    }
  }

  /**
   * Takes in lines of a container, each once. A stream that is gone is made again while its group is there.
   * @throws AwsError that says why they are not taken and never will be; LogsThrottled, and anything else: the same may succeed later
   */
  async ship(
    writer: LogWriter,
    to: ContainerStream & { readonly stream: string },
    shipment: Shipment,
  ): Promise<Shipped> {
    const { logs, clock } = this.#ports;
    const { account } = writer.call;
    const found = await logs.group(account, to.group);
    if (found === undefined) throw groupMissing();
    await this.#check(writer, 'PutLogEvents', to.group, to.stream, found.tags);
    const now = clock.now();
    let out = 0;
    const events = shipment.events.map((event) => {
      if (event === undefined || leftOut(event.timestamp, now, found.retentionInDays) === undefined) return event;
      out += 1;
      return undefined;
    });
    const timely = { ...shipment, events };
    try {
      return { mark: await logs.ship(account, to.group, to.stream, timely), leftOut: out };
    } catch (error) {
      if (error instanceof LogGroupMissing) throw groupMissing();
      if (!(error instanceof LogStreamMissing)) throw error;
    }
    await this.open(writer, { ...to, createGroup: false });
    return { mark: await logs.ship(account, to.group, to.stream, timely), leftOut: out };
  }

  async #createGroup(writer: LogWriter, { group, createGroup }: ContainerStream): Promise<void> {
    if (!createGroup) throw groupMissing();
    await this.#check(writer, 'CreateLogGroup', group, '', undefined);
    const settings = { tags: {}, logGroupClass: 'STANDARD' } as const;
    await unless(LogGroupExists, this.#ports.logs.createGroup(writer.call.account, group, settings));
  }

  async #check(
    { principal, call }: LogWriter,
    action: string,
    group: string,
    stream: string,
    tags: Readonly<Record<string, string>> | undefined,
  ): Promise<void> {
    const { authorizer, region, clock } = this.#ports;
    const arn = streamArn({ region, account: call.account }, group, stream);
    const resource = tags === undefined ? { arn } : { arn, tags };
    const access: AccessRequest = { action: `logs:${action}`, resources: [resource] };
    const now = { ...call, principal, time: new Date(clock.now()) };
    const { allowed, reason, explicit } = await authorizer.authorize(principal, access, now);
    if (allowed) return;
    const why = `${explicit === true ? 'with' : 'because'} ${reason}`;
    throw new AwsError(
      'AccessDeniedException',
      `User: ${principal.arn} is not authorized to perform: ${access.action} on resource: ${arn} ${why}`,
      { status: 400 },
    );
  }
}

/** Waits for something that may have been done already. */
async function unless(there: new (...given: never[]) => Error, work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!(error instanceof there)) throw error;
  }
}
