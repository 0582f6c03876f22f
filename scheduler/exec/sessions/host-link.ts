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
  readonly closed: () => void;
}

/** The server's end of the connection that a host opened for a session. */
export class HostLink {
  readonly #ws: WebSocket;
  /** Input that the host takes now, and output that it may send, as {@link execCost} counts them. */
  #room: number = execLimits.firstInputBytes;
  #granted: number = execLimits.outputBytes;

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
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.send(bytes);
  }

  endInput(): void {
    sendMessage(this.#ws, 'ExecInputEnd', {});
  }

  resize(size: { readonly cols: number; readonly rows: number }): void {
    sendMessage(this.#ws, 'ExecResize', size);
  }

  /** So much output has arrived where it goes: the host may send as much more. */
  grant(bytes: number): void {
    this.#granted += bytes;
    sendMessage(this.#ws, 'ExecCredit', { bytes });
  }

  close(reason: string): void {
    this.#ws.close(1000, reason);
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
