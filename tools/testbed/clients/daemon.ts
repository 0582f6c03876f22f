import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../command.ts';
import type { Client } from './client.ts';

/** A container engine of a test's own. */
export interface Daemon extends AsyncDisposable {
  /** The socket it listens on. */
  readonly socket: string;
}

/** Starts containerd or dockerd with state, images and socket in the client's folder, and waits until `ready` does not throw. */
export async function startDaemon(
  client: Client,
  args: (socket: string) => readonly string[],
  ready: (socket: string) => Promise<unknown>,
): Promise<Daemon> {
  const socket = join(client.folder, 'daemon.sock');
  const logFile = join(client.folder, 'daemon.log');
  const log = openSync(logFile, 'a');
  const child = client.start(args(socket), log);
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const answer = await until('the daemon to answer', 180_000, async () => {
    if (child.exitCode !== null) return 'ended';
    return existsSync(socket) && (await ready(socket), 'ready');
  }).catch((error: unknown) => String(error));
  if (answer !== 'ready') {
    child.kill('SIGKILL');
    throw new Error(`no daemon (${answer}):\n${readFileSync(logFile, 'utf8').slice(-2000)}`);
  }
  return {
    socket,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
