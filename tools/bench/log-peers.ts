import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@slipway/storage/clock';
import { freePort } from '@slipway/storage/testing';

export interface PeerTimes {
  readonly seconds: number;
  /** Of all threads of the peer's process. */
  readonly cpu: number;
}

export interface LogPeer {
  readonly name: string;
  /** Lines a second of the peer's processor time; what it says is on disk after a merge, bytes; how long each search took. */
  readonly linesPerCpuSecond: number;
  readonly stored: number;
  readonly search: (text: string, start: number, end: number) => Promise<PeerTimes & { readonly found: number }>;
  readonly stop: () => Promise<void>;
}

export interface PeerEvent {
  readonly stream: string;
  readonly timestamp: number;
  readonly message: string;
}

/** Processor time of a process, seconds. */
export function cpuOf(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    const [spent] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
    nanoseconds += Number(spent);
  }
  return nanoseconds / 1e9;
}

export function bytesIn(folder: string): number {
  let bytes = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  return bytes;
}

export async function answered(url: string, body?: string): Promise<string> {
  const response = await fetch(url, body === undefined ? {} : { method: 'POST', body });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return text;
}

/**
 * VictoriaLogs with the same lines in the same batches, by its JSON lines API: `go install
 * github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@v1.52.2`. It syncs nothing before it answers.
 */
export async function victoriaLogs(
  program: string,
  folder: string,
  batches: Iterable<readonly PeerEvent[]>,
): Promise<LogPeer> {
  const data = join(folder, 'victoria-logs');
  mkdirSync(data);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(
    program,
    [`-storageDataPath=${data}`, `-httpListenAddr=127.0.0.1:${port}`, '-retentionPeriod=30d', '-loggerLevel=ERROR'],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    const deadline = performance.now() + 60_000;
    while (
      !(await answered(`${url}/health`).then(
        () => true,
        () => false,
      ))
    ) {
      if (performance.now() > deadline || child.exitCode !== null) throw new Error('VictoriaLogs did not start');
      await systemClock.sleep(100);
    }
    const before = cpuOf(child.pid!);
    let lines = 0;
    for (const batch of batches) {
      lines += batch.length;
      const body = batch.map(({ stream, timestamp, message }) =>
        JSON.stringify({ stream, _time: new Date(timestamp).toISOString(), _msg: message }),
      );
      await answered(`${url}/insert/jsonline?_stream_fields=stream`, body.join('\n'));
    }
    await answered(`${url}/internal/force_flush`);
    const linesPerCpuSecond = lines / (cpuOf(child.pid!) - before);
    await answered(`${url}/internal/force_merge`);
    let stored = bytesIn(data);
    // It merges in the background: until the disk has been the same for a while.
    for (let same = 0; same < 5;) {
      await systemClock.sleep(1000);
      const now = bytesIn(data);
      same = now === stored ? same + 1 : 0;
      stored = now;
    }
    return {
      name: 'VictoriaLogs 1.52.2',
      linesPerCpuSecond,
      stored,
      stop,
      search: async (text, start, end) => {
        const query = `_time:[${new Date(start).toISOString()}, ${new Date(end).toISOString()}) ~${JSON.stringify(text)} | count() as n`;
        const cpu = cpuOf(child.pid!);
        const began = performance.now();
        const answer = await answered(`${url}/select/logsql/query?${new URLSearchParams({ query }).toString()}`);
        const seconds = (performance.now() - began) / 1000;
        return { seconds, cpu: cpuOf(child.pid!) - cpu, found: Number((JSON.parse(answer) as { n: string }).n) };
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A program on the path, or where Go puts what it installs. */
export function programOf(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), join(process.env['HOME'] ?? '/root', 'go', 'bin')];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
