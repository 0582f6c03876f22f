import type { Message } from './message.ts';

/** Messages, and bytes of them, that may wait for earlier ones. */
const most = { messages: 1_000, bytes: 1024 * 1024 } as const;

/** Puts messages into the order in which they were sent, each once. */
export class Inbox {
  readonly #early = new Map<number, Message>();
  #bytes = 0;
  #next = 0;

  /**
   * Takes one message in; one for which there is no room must come again.
   * @returns whether to acknowledge it, and the messages whose turn it is now
   */
  receive(message: Message): { readonly acknowledge: boolean; readonly inOrder: readonly Message[] } {
    const { sequence } = message;
    // Its acknowledgement was lost, or is on its way.
    if (sequence < this.#next || this.#early.has(sequence)) return { acknowledge: true, inOrder: [] };
    if (sequence > this.#next) {
      const fits = this.#early.size < most.messages && this.#bytes + message.payload.length <= most.bytes;
      if (!fits || sequence - this.#next > most.messages) return { acknowledge: false, inOrder: [] };
      this.#early.set(sequence, message);
      this.#bytes += message.payload.length;
      return { acknowledge: true, inOrder: [] };
    }
    const inOrder = [message];
    for (this.#next += 1; ; this.#next += 1) {
      const waiting = this.#early.get(this.#next);
      if (waiting === undefined) break;
      this.#early.delete(this.#next);
      this.#bytes -= waiting.payload.length;
      inOrder.push(waiting);
    }
    return { acknowledge: true, inOrder };
  }
}
