import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';

import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import { execStream, type ExecStart } from '../../wire/index.ts';
import { engineCall } from '../docker.ts';
import { demultiplexed, type Written } from './demultiplexed.ts';

/** A command that runs in a container. */
export interface ExecProcess {
  /** What it writes, until it ends. */
  readonly output: AsyncIterable<Written>;
  /** Resolves when more input may come. */
  write(bytes: Buffer): Promise<void>;
  endInput(): void;
  resize(cols: number, rows: number): Promise<void>;
  /** Once it wrote its last. */
  exitCode(): Promise<number>;
  /** Ends it, if it runs. */
  kill(): Promise<void>;
}

/** What runs commands in containers. */
export interface ExecEngine {
  /** @param user as whom, in Docker's words */
  start(command: ExecStart, user: string): Promise<ExecProcess>;
}

/** In the environment of each command: how it is found again where the agent does not see its process. */
const mark = 'SLIPWAY_EXEC_SESSION';
/** Milliseconds between the hang-up, which shells pass on to what they run, and the end of a process. */
const grace = 1_000;
/** How often the end of a process is looked for, and how long. Milliseconds. */
const look = { every: 50, times: 40 } as const;

/** Commands run with the container's own environment. */
export const dockerExec = (docker: Docker, clock: Pick<Clock, 'sleep'>): ExecEngine => ({
  async start({ runtimeId, command, tty, cols, rows, sessionId }, user) {
    const container = docker.getContainer(runtimeId);
    // Engines since 23 make the terminal of that size; for others it follows, as docker exec has it too.
    const size = tty ? { ConsoleSize: [rows, cols] as [number, number] } : {};
    const exec = await engineCall(() =>
      container.exec({
        ...size,
        Cmd: [...command],
        AttachStdin: true,
        AttachStdout: true,
        AttachStderr: true,
        Tty: tty,
        User: user,
        Env: [`${mark}=${sessionId}`, ...(tty ? ['TERM=xterm-256color'] : [])],
      }),
    );
    const stream: Duplex = await engineCall(() => exec.start({ hijack: true, stdin: true, Tty: tty, ...size }));
    // What fails on the way ends the output; the exit code says the rest.
    stream.on('error', () => stream.destroy());
    const resize = async (wide: number, high: number): Promise<void> => {
      // One that has ended has no size.
      if (tty) await exec.resize({ w: wide, h: high }).catch(() => undefined);
    };
    await resize(cols, rows);
    return {
      output: tty ? raw(stream) : demultiplexed(stream),
      async write(bytes) {
        if (stream.writable && !stream.write(bytes)) await drained(stream);
      },
      endInput: () => stream.end(),
      resize,
      async exitCode() {
        for (let left: number = look.times; ; left -= 1) {
          const { Running, ExitCode } = await engineCall(() => exec.inspect());
          if (!Running || left === 0) return ExitCode ?? -1;
          await clock.sleep(look.every);
        }
      },
      async kill() {
        stream.destroy();
        const { Running, Pid } = await engineCall(() => exec.inspect());
        if (!Running || Pid === 0) return;
        if (!(await isIn(Pid, runtimeId))) return killWithin(docker, runtimeId, sessionId, user);
        signal(Pid, 'SIGHUP');
        await clock.sleep(grace);
        // Its number may be another process's by now.
        if (await isIn(Pid, runtimeId)) signal(Pid, 'SIGKILL');
      },
    };
  },
});

/** Resolves when more can be written, or nothing ever will. */
const drained = (stream: Duplex): Promise<void> =>
  new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done).off('close', done);
      resolve();
    };
    stream.on('drain', done).on('close', done);
  });

/** Whether a process as this machine numbers it is of a container: an engine elsewhere has numbers of its own. */
async function isIn(pid: number, runtimeId: string): Promise<boolean> {
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  return groups.includes(runtimeId);
}

function signal(pid: number, name: 'SIGHUP' | 'SIGKILL'): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended, or this agent may not: then it is not root beside its engine.
  }
}

/** Has the container's own shell end what belongs to a session; a container without one keeps it until it ends. */
async function killWithin(docker: Docker, runtimeId: string, sessionId: string, user: string): Promise<void> {
  const find = `for p in /proc/[0-9]*; do grep -q ${mark}=${sessionId} "$p/environ" && kill -9 "\${p#/proc/}"; done`;
  const exec = await engineCall(() => docker.getContainer(runtimeId).exec({ Cmd: ['sh', '-c', find], User: user }));
  await engineCall(() => exec.start({ Detach: true }));
}

async function* raw(stream: Duplex): AsyncGenerator<Written> {
  for await (const bytes of stream) yield { stream: execStream.stdout, bytes: bytes as Buffer };
}
