/** Milliseconds until a message that was not acknowledged is sent again: at first, and at most. */
const firstWait = 300;
const longestWait = 3_000;
/** Messages that are sent again at a time: those that hold up the others. */
const atOnce = 8;

interface Sent {
  readonly frame: Buffer;
  readonly bytes: number;
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

  constructor(ports: OutboxPorts) {
    this.#ports = ports;
    this.#heardAt = ports.now();
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
    const sent = { frame: frame(sequence), bytes, sentAt: now, wait: firstWait };
    this.#sent.set(sequence, sent);
    this.#bytes += bytes;
    this.#ports.transmit(sent.frame);
  }

  /** The peer has a message; anything it says twice, or of what was never sent, changes nothing. */
  acknowledged(sequence: number): void {
    const sent = this.#sent.get(sequence);
    if (sent === undefined) return;
    this.#heardAt = this.#ports.now();
    this.#sent.delete(sequence);
    this.#bytes -= sent.bytes;
  }

  /** Sends the oldest messages again that have waited long enough. */
  again(): void {
    const now = this.#ports.now();
    let left = atOnce;
    for (const sent of this.#sent.values()) {
      if (left-- === 0) return;
      if (now - sent.sentAt < sent.wait) continue;
      sent.sentAt = now;
      sent.wait = Math.min(sent.wait * 2, longestWait);
      this.#ports.transmit(sent.frame);
    }
  }
}
