import { EventEmitter } from 'node:events';

/** One end of a connection, as a server has it, without a network: what is sent is for whoever extends it. */
export class ConnectionEnd extends EventEmitter {
  readonly OPEN = 1;
  readonly CLOSED = 3;
  readyState = 1;
  bufferedAmount = 0;

  isPaused = false;

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  close(status = 1000): void {
    if (this.readyState !== this.OPEN) return;
    this.readyState = 3;
    this.emit('close', status);
  }

  terminate(): void {
    this.close(1006);
  }
}
