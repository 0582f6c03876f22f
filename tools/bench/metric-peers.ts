import { execFile, spawn } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { systemClock } from '@slipway/storage/clock';
import { freePort } from '@slipway/storage/testing';
import { answered, bytesIn, cpuOf, programOf } from './log-peers.ts';

/** A day of series by the minute. */
export interface PeerDay {
  readonly services: number;
  /** Milliseconds since the epoch, the first and the last minute. */
  readonly from: number;
  readonly to: number;
  readonly value: (minute: number, series: number) => number;
}

export interface MetricPeer {
  readonly name: string;
  /** Of a day in its blocks with their index. */
  readonly bytesPerPoint: number;
  /** For each second of its processor time, of pages that it fetches and understands. */
  readonly pointsPerCpuSecond: number;
  /** Of the day's services, each with a point for each period: milliseconds, by the clock and of a core; the first one by itself. */
  readonly day: (period: number, runs: number) => Promise<{ readonly times: readonly number[]; readonly cpu: number }>;
  readonly stop: () => Promise<void>;
}

const minute = 60_000;
const kinds = ['cpu', 'memory'] as const;
const series = 2000;
/** Pages that it fetches, one a second. */
const pages = 20;

/** Debian's Prometheus with the same day in its blocks (`promtool tsdb create-blocks-from openmetrics`). It syncs nothing before it counts a page as read. */
export async function prometheus(folder: string, day: PeerDay): Promise<MetricPeer | undefined> {
  const [program, promtool] = [programOf('prometheus'), programOf('promtool')];
  if (program === undefined || promtool === undefined) return undefined;
  const data = join(folder, 'prometheus');
  const text = join(folder, 'day.txt');
  await pipeline(Readable.from(openMetrics(day)), createWriteStream(text));
  await promisify(execFile)(promtool, ['tsdb', 'create-blocks-from', 'openmetrics', text, data]);
  const points = kinds.length * day.services * (1 + (day.to - day.from) / minute);
  const bytesPerPoint = bytesIn(data) / points;

  let fetched = 0;
  const target = createServer((_, response) => {
    fetched += 1;
    response.end(page(fetched));
  });
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const config = join(folder, 'prometheus.json');
  const targets = [`127.0.0.1:${(target.address() as AddressInfo).port}`];
  writeFileSync(
    config,
    JSON.stringify({
      scrape_configs: [{ job_name: 'bench', scrape_interval: '1s', static_configs: [{ targets }] }],
    }),
  );
  const child = spawn(
    program,
    [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    target.closeAllConnections();
    await new Promise((resolve) => target.close(resolve));
  };
  const until = async (done: () => boolean | Promise<boolean>): Promise<void> => {
    const deadline = performance.now() + 120_000;
    while (!(await done())) {
      if (performance.now() > deadline || child.exitCode !== null)
        throw new Error('Prometheus did not do what it should');
      await systemClock.sleep(50);
    }
  };
  const ready = (): Promise<boolean> =>
    answered(`${url}/-/ready`).then(
      () => true,
      () => false,
    );
  try {
    await until(ready);
    // The first pages make its series.
    await until(() => fetched >= 3);
    const [before, at] = [cpuOf(child.pid!), fetched];
    await until(() => fetched >= at + pages);
    const pointsPerCpuSecond = ((fetched - at) * series) / (cpuOf(child.pid!) - before);
    return {
      name: 'Prometheus 2.42',
      bytesPerPoint,
      pointsPerCpuSecond,
      stop,
      day: async (period, runs) => {
        const range = {
          query: `avg_over_time(cpu[${period}s])`,
          start: String(day.from / 1000),
          end: String(day.to / 1000),
          step: String(period),
        };
        const times: number[] = [];
        const cpu = cpuOf(child.pid!);
        for (let run = 0; run < runs; run++) {
          const began = performance.now();
          const answer = await answered(`${url}/api/v1/query_range?${new URLSearchParams(range).toString()}`);
          times.push(performance.now() - began);
          const { data: found } = JSON.parse(answer) as { readonly data: { readonly result: readonly object[] } };
          if (found.result.length !== day.services) throw new Error(`Prometheus found ${found.result.length} services`);
        }
        return { times, cpu: ((cpuOf(child.pid!) - cpu) * 1000) / runs };
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function* openMetrics({ services, from, to, value }: PeerDay): Generator<string> {
  for (const [kind, name] of kinds.entries()) {
    yield `# TYPE ${name} gauge\n`;
    for (let service = 0; service < services; service++) {
      const labels = `${name}{ClusterName="default",ServiceName="service-${service}"}`;
      const lines = Array.from(
        { length: 1 + (to - from) / minute },
        (_, at) => `${labels} ${value(at, 2 * service + kind)} ${from / 1000 + 60 * at}\n`,
      );
      yield lines.join('');
    }
  }
  yield '# EOF\n';
}

function page(count: number): string {
  const lines = ['# TYPE live gauge'];
  for (let one = 0; one < series; one++)
    lines.push(`live{ClusterName="default",ServiceName="service-${one}"} ${(one * 37 + count) % 101}`);
  return `${lines.join('\n')}\n`;
}
