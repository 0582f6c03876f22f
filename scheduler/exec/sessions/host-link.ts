import type { WebSocket } from 'ws';

import {
  execCost,
  execLimits,
  execReport,
  type ExecReport,
  type ExecStart,
  execStream,
  parseFrame,
  sendMessage,
} from '../../hosts/wire/index.ts';

export interface HostLinkEvents {
  readonly output: (stream: 'stdout' | 'stderr', bytes: Buffer) => void;
  readonly exited: (code: number) => void;
  readonly refused: (reason: string) => void;
  /** There is room for more input. */
  readonly drained: () => void;
  /** @param status that of the WebSocket */
  readonly closed: (status: number) => void;
}

/** Bytes on their way to a host, at most: it is sent fewer at a time, unless it says that it took what it does not read. */
const mostUnread = 4 * execLimits.inputBytes;

/** The server's end of the connection that a host opened for a session. */
export class HostLink {
  readonly #ws: WebSocket;
  /** Input that the host takes now, and output that it may send, as {@link execCost} counts them. */
  #room: number = execLimits.firstInputBytes;
  #granted: number = execLimits.outputBytes;
  #inputEnded = false;

  constructor(ws: WebSocket, events: HostLinkEvents) {
    this.#ws = ws;
    ws.on('error', () => ws.terminate());
    ws.once('close', events.closed);
    ws.on('message', (data, isBinary) => {
      const bytes = data as Buffer;
      if (isBinary) this.#output(bytes, events);
      else this.#report(bytes, events);
    });
    ws.resume();
  }

  /** Input that may be sent now, as {@link execCost} counts it. */
  get room(): number {
    return this.#room;
  }

  start(command: ExecStart): void {
    sendMessage(this.#ws, 'ExecStart', { ...command, command: [...command.command] });
  }

  /** @param bytes no more than there is room for */
  input(bytes: Buffer): void {
    this.#room -= execCost(bytes.length);
    this.#doubt();
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(bytes);
  }

  /** However often the client says it. */
  endInput(): void {
    if (this.#inputEnded) return;
    this.#inputEnded = true;
    sendMessage(this.#ws, 'ExecInputEnd', {});
  }

  resize(size: { readonly cols: number; readonly rows: number }): void {
    this.#doubt();
    sendMessage(this.#ws, 'ExecResize', size);
  }

  /** So much has arrived where it goes: the host may send as much more, and no more at a time than at first. */
  grant(bytes: number): void {
    // The messages of the handshake arrive as well, and were nothing that the host sent; it takes no frame that says more than all.
    const more = Math.min(bytes, execLimits.outputBytes - this.#granted);
    if (more <= 0) return;
    this.#granted += more;
    sendMessage(this.#ws, 'ExecCredit', { bytes: more });
  }

  close(reason: string): void {
    this.#ws.close(1000, reason);
  }

  #doubt(): void {
    if (this.#ws.bufferedAmount > mostUnread) this.#ws.terminate();
  }

  #output(bytes: Buffer, { output }: HostLinkEvents): void {
    this.#granted -= execCost(bytes.length - 1);
    if (bytes.length < 2 || this.#granted < 0) {
      this.#ws.close(1008, 'that is more output than was asked for');
      return;
    }
    output(bytes[0] === execStream.stderr ? 'stderr' : 'stdout', bytes.subarray(1));
  }

  #report(bytes: Buffer, { exited, refused, drained }: HostLinkEvents): void {
    let report: ExecReport | undefined;
    try {
      report = parseFrame(execReport, bytes.toString('utf8'));
    } catch {
      this.#ws.close(1008, 'that is not JSON');
    }
    if (report?.type === 'ExecExit') exited(report.message.code);
    else if (report?.type === 'ExecRefused') refused(report.message.reason);
    else if (report?.type === 'ExecCredit') {
      this.#room = Math.min(this.#room + report.message.bytes, execLimits.inputBytes);
      drained();
    }
  }
}
