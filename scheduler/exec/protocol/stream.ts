import type { Clock } from '@slipway/storage/clock';

import { Inbox } from './inbox.ts';
import {
  BadMessage,
  decodeMessage,
  encodeMessage,
  flags,
  idText,
  type Message,
  type MessageType,
  payloadType,
} from './message.ts';
import { Outbox } from './outbox.ts';

/** How often it is looked at what must be sent again. Milliseconds. */
const tick = 100;
/** A peer that acknowledges nothing of what it was sent for so long is gone. Milliseconds. */
const patience = 5 * 60_000;
/** Messages, and bytes of them, that wait until they may be delivered; what comes beyond them must come again. */
const mostHeld = { messages: 4_000, bytes: 2 * 1024 * 1024 } as const;
/** Bytes of a payload that is read as JSON. */
const mostJson = 16 * 1024;

export interface StreamPorts {
  readonly clock: Clock;
  readonly random: (size: number) => Uint8Array;
  /** Sends one binary frame; nothing when the connection is on its way down. */
  readonly transmit: (frame: Buffer) => void;
  /** What this side sends, and what the other one does. */
  readonly sends: MessageType & ('input_stream_data' | 'output_stream_data');
  readonly receives: MessageType & ('input_stream_data' | 'output_stream_data');
  /** Whether more data may be delivered; what waits is not acknowledged. See {@link ReliableStream.resume}. */
  readonly hasRoom: () => boolean;
  /** Takes messages in order, each once. */
  readonly deliver: (message: Message) => void;
  /** The other side says that the session is over; what it says with it. */
  readonly closed: (output: string) => void;
  /** Something that was sent has arrived: there may be room for more. */
  readonly drained: () => void;
}

/**
 * One side of a data channel once it is open: numbers what it sends and sends it again until it is acknowledged; acknowledges what it
 * receives and puts it into order.
 */
export class ReliableStream {
  readonly #ports: StreamPorts;
  readonly #outbox: Outbox;
  readonly #inbox = new Inbox();
  /** In order; delivered, and acknowledged, when there is room. */
  readonly #held: Message[] = [];
  #heldBytes = 0;
  /** Randomness for the next ids: drawn for many of them at once, as a draw costs more than its bytes. */
  #drawn: Buffer = Buffer.alloc(0);

  constructor(ports: StreamPorts) {
    this.#ports = ports;
    this.#outbox = new Outbox({ now: () => ports.clock.monotonic(), transmit: ports.transmit });
  }

  /** Bytes that are on their way to the other side. */
  get bytes(): number {
    return this.#outbox.bytes;
  }

  /** Messages that are on their way to the other side. */
  get messages(): number {
    return this.#outbox.messages;
  }

  /** Whether all that was sent has arrived. */
  get isDrained(): boolean {
    return this.#outbox.isEmpty;
  }

  send(type: number, payload: Buffer, last = false): void {
    const { sends, clock } = this.#ports;
    this.#outbox.send(payload.length, (sequence) =>
      encodeMessage(
        {
          type: sends,
          sequence,
          flags: (sequence === 0 ? flags.first : 0) | (last ? flags.last : 0),
          id: this.#id(),
          payloadType: type,
          payload,
        },
        clock.now(),
      ),
    );
  }

  /** Takes one frame in. @throws BadMessage */
  receive(frame: Buffer): void {
    const message = decodeMessage(frame);
    const { receives, closed, drained } = this.#ports;
    switch (message.type) {
      case 'acknowledge': {
        this.#outbox.acknowledged(sequenceIn(message.payload));
        drained();
        return;
      }
      case receives:
        this.#take(message);
        return;
      case 'channel_closed': {
        const { Output: output } = parsed(message.payload);
        closed(typeof output === 'string' ? output : '');
        return;
      }
      default:
      // Publication is for a peer that has no window of its own.
    }
  }

  /** There may be room again: delivers what waits. */
  resume(): void {
    const { hasRoom, deliver } = this.#ports;
    for (;;) {
      const [message] = this.#held;
      if (message === undefined || (carriesData(message) && !hasRoom())) return;
      this.#held.shift();
      this.#heldBytes -= message.payload.length;
      deliver(message);
      this.#acknowledge(message);
    }
  }

  /** Another connection has taken the place of one that broke: what may have been lost with that is sent again. */
  reopened(): void {
    this.#outbox.afresh();
  }

  #take(message: Message): void {
    const full = this.#held.length >= mostHeld.messages || this.#heldBytes + message.payload.length > mostHeld.bytes;
    if (full) return;
    const { acknowledge, inOrder } = this.#inbox.receive(message);
    if (inOrder.length === 0) {
      const waits =
        message.sequence >= (this.#held[0]?.sequence ?? Infinity) && this.#held.some(isOf(message.sequence));
      if (acknowledge && !waits) this.#acknowledge(message);
      return;
    }
    for (const each of inOrder) {
      // The wish to end does not wait for input that nobody reads.
      if (each.payloadType === payloadType.flag) {
        this.#acknowledge(each);
        this.#ports.deliver(each);
        continue;
      }
      this.#held.push(each);
      this.#heldBytes += each.payload.length;
    }
    this.resume();
  }

  /**
   * Sends again what must be until the signal aborts.
   * @returns whether the other side was given up
   */
  async run(signal: AbortSignal): Promise<'ended' | 'silent'> {
    const { clock } = this.#ports;
    while (!signal.aborted) {
      await clock.sleep(tick, signal).catch(() => undefined);
      if (signal.aborted) break;
      if (this.#outbox.silence > patience) return 'silent';
      this.#outbox.again();
    }
    return 'ended';
  }

  /** Says that the session is over; see {@link closingFrame}. */
  close(sessionId: string, output: string): void {
    this.#ports.transmit(closingFrame(this.#ports, sessionId, output));
  }

  #acknowledge({ type, id, sequence }: Message): void {
    const { clock, transmit } = this.#ports;
    const payload = json({
      AcknowledgedMessageType: type,
      AcknowledgedMessageId: idText(id),
      AcknowledgedMessageSequenceNumber: sequence,
      IsSequentialMessage: true,
    });
    transmit(
      encodeMessage(
        { type: 'acknowledge', sequence: 0, flags: flags.acknowledgement, id: this.#id(), payloadType: 0, payload },
        clock.now(),
      ),
    );
  }

  #id(): Buffer {
    if (this.#drawn.length === 0) this.#drawn = Buffer.from(this.#ports.random(64 * 16));
    const id = this.#drawn.subarray(0, 16);
    this.#drawn = this.#drawn.subarray(16);
    return id;
  }
}

/** What says that a session is over, also one that never began. @param output what the user is shown of it; nothing for a usual end */
export function closingFrame(
  { clock, random }: Pick<StreamPorts, 'clock' | 'random'>,
  sessionId: string,
  output: string,
): Buffer {
  const id = Buffer.from(random(16));
  const now = clock.now();
  const payload = json({
    MessageId: idText(id),
    CreatedDate: new Date(now).toISOString(),
    DestinationId: sessionId,
    SessionId: sessionId,
    MessageType: 'channel_closed',
    SchemaVersion: 1,
    Output: output,
  });
  return encodeMessage({ type: 'channel_closed', sequence: 0, flags: 0, id, payloadType: 0, payload }, now);
}

const carriesData = ({ payloadType: type }: Message): boolean =>
  type === payloadType.output || type === payloadType.standardError;

const isOf =
  (sequence: number) =>
  (message: Message): boolean =>
    message.sequence === sequence;

export const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

/** The members of a payload of JSON. @throws BadMessage */
export function parsed(payload: Buffer): Readonly<Record<string, unknown>> {
  if (payload.length > mostJson) throw new BadMessage('a payload of JSON is too long');
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new BadMessage('a payload is not JSON');
}

function sequenceIn(payload: Buffer): number {
  const sequence = parsed(payload)['AcknowledgedMessageSequenceNumber'];
  if (typeof sequence !== 'number' || !Number.isSafeInteger(sequence) || sequence < 0)
    throw new BadMessage('an acknowledgement names no message');
  return sequence;
}
