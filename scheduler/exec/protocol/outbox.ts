/** Milliseconds until a message that was not acknowledged is sent again: at first, at least; and at most, of a peer that was not slower before. */
const firstWait = 300;
const longestWait = 3_000;
/** The same of one that was. */
const slowestWait = 10_000;
/** Messages that are sent again at a time: those that hold up the others. */
const atOnce = 8;

interface Sent {
  readonly frame: Buffer;
  readonly bytes: number;
  readonly firstAt: number;
  /** When it was sent the last time. */
  sentAt: number;
  wait: number;
}

export interface OutboxPorts {
  /** Milliseconds that only grow. */
  readonly now: () => number;
  readonly transmit: (frame: Buffer) => void;
}

/**
 * What was sent and is not acknowledged yet: kept, and sent again until it is. A peer that does not take a message yet (a plug-in whose
 * shell is not ready) does not acknowledge it.
 */
export class Outbox {
  readonly #ports: OutboxPorts;
  readonly #sent = new Map<number, Sent>();
  #next = 0;
  #bytes = 0;
  #heardAt: number;
  /** When the oldest message that was on its way was acknowledged. */
  #wentOnAt: number;
  /** How long acknowledgements take, and by how much that varies (RFC 6298, section 2). Milliseconds; none before the first one. */
  #usual: number | undefined;
  #varies = 0;
  /** How long the last message took that was sent twice; it counts until one is acknowledged that was sent once. */
  #backedOff = 0;

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
    this.#heardAt = ports.now();
    this.#wentOnAt = this.#heardAt;
  }

  /** Bytes of payloads that are on their way. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Messages that are on their way. */
  get messages(): number {
    return this.#sent.size;
  }

  get isEmpty(): boolean {
    return this.#sent.size === 0;
  }

  /** For how long something has been on its way without any acknowledgement; 0 when nothing is. */
  get silence(): number {
    return this.#sent.size === 0 ? 0 : this.#ports.now() - this.#heardAt;
  }

  /** Sends one message. @param frame makes its frame, given its sequence number */
  send(bytes: number, frame: (sequence: number) => Buffer): void {
    const now = this.#ports.now();
    if (this.#sent.size === 0) this.#heardAt = now;
    const sequence = this.#next++;
    const sent = { frame: frame(sequence), bytes, firstAt: now, sentAt: now, wait: this.#firstWait };
    this.#sent.set(sequence, sent);
    this.#bytes += bytes;
    this.#ports.transmit(sent.frame);
  }

  /** The peer has a message; anything it says twice, or of what was never sent, changes nothing. */
  acknowledged(sequence: number): void {
    const sent = this.#sent.get(sequence);
    if (sent === undefined) return;
    const now = this.#ports.now();
    const [oldest] = this.#sent.keys();
    this.#heardAt = now;
    if (sequence === oldest) this.#wentOnAt = now;
    // Of one that was sent twice nobody knows which was acknowledged (RFC 6298, section 3): it took no longer than since the first time.
    if (sent.sentAt > sent.firstAt) this.#backedOff = Math.max(sent.wait, now - sent.firstAt);
    else this.#took(now - sent.firstAt);
    this.#sent.delete(sequence);
    this.#bytes -= sent.bytes;
  }

  /** Sends the oldest messages again that have waited long enough, since they were sent and since it went on: a slow link may have them still. */
  again(): void {
    const now = this.#ports.now();
    let left = atOnce;
    for (const sent of this.#sent.values()) {
      if (left-- === 0) return;
      if (now - Math.max(sent.sentAt, this.#wentOnAt) < sent.wait) continue;
      sent.sentAt = now;
      sent.wait = Math.max(sent.wait, Math.min(sent.wait * 2, longestWait));
      this.#ports.transmit(sent.frame);
    }
  }

  /** Sends all of it again, over a connection that takes the place of one that broke. */
  afresh(): void {
    const now = this.#ports.now();
    this.#wentOnAt = now;
    for (const sent of this.#sent.values()) {
      sent.sentAt = now;
      this.#ports.transmit(sent.frame);
    }
  }

  /** A busy peer is slow with every message: to send each again would make it slower. */
  get #firstWait(): number {
    return Math.min(Math.max(firstWait, this.#backedOff, (this.#usual ?? 0) + 4 * this.#varies), slowestWait);
  }

  #took(time: number): void {
    const usual = this.#usual;
    this.#backedOff = 0;
    this.#varies = usual === undefined ? time / 2 : 0.75 * this.#varies + 0.25 * Math.abs(usual - time);
    this.#usual = usual === undefined ? time : 0.875 * usual + 0.125 * time;
  }
}
