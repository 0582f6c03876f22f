import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateServiceCommand, ECSClient, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { targetOf } from '../bench/registry-target.ts';
import { pushSmallImage } from '../bench/load.ts';
import { until } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** What an operator sees on `/metrics` of a server of several processes. */
const folder = mkdtempSync(join(tmpdir(), 'slipway-metrics-'));
let server: ServerProcess;

beforeAll(async () => {
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '3' });
  await server.start();
  await until('all processes to answer', 180_000, async () => (await value('slipway_processes')) === 3);
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A new connection each time, so that any of the processes may be the one that is asked. */
const get = async (path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(server.endpoint + path, { headers: { connection: 'close', ...headers } });

const scrape = async (): Promise<string> => (await get('/metrics')).text();

/** The value of a metric with these labels; undefined when it is not there. */
async function value(name: string): Promise<number | undefined> {
  const line = (await scrape()).split('\n').find((one) => one.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length + 1));
}

/** Whether nothing is left of a process: while any of its threads is ending, its sockets may be open yet, though it is called a zombie. */
const hasEnded = (pid: number): boolean => !existsSync(`/proc/${pid}`);

const pings = 'slipway_requests_total{service="distribution",operation="GET ping",status="200"}';

test('a scrape is the sum of all processes, whichever answers it', async () => {
  const { headers } = await targetOf(server);
  for (let count = 0; count < 60; count++) await (await get('/v2/', headers)).text();
  // A request counts once its answer has gone out, which its client may know first.
  await until('the last of them to count', 180_000, async () => (await value(pings)) === 60);
  const seen = await Promise.all(Array.from({ length: 12 }, () => value(pings)));
  expect(seen).toEqual(Array.from({ length: 12 }, () => 60));
});

test('requests, bytes, uploads, collections, cache hits, upkeep and processes are all there, from the start', async () => {
  const registry = await targetOf(server);
  await pushSmallImage(registry, 'metrics/app', 'v1');
  for (let count = 0; count < 2; count++)
    await (await get('/v2/metrics/app/manifests/v1', { ...registry.headers })).text();
  await until(
    'the upkeep to have run',
    180_000,
    async () => ((await value('slipway_jobs_total{job="garbage-collection",result="done"}')) ?? 0) > 0,
  );
  const text = await scrape();
  for (const expected of [
    /^slipway_registry_received_bytes_total [1-9]/m,
    /^slipway_registry_sent_bytes_total 0$/m,
    /^slipway_registry_uploads_open 0$/m,
    /^slipway_registry_manifest_lookups_total\{result="hit"\} \d+$/m,
    /^slipway_registry_manifest_lookups_total\{result="miss"\} [1-9]/m,
    /^slipway_registry_collector_removed_total 0$/m,
    /^slipway_registry_collector_freed_bytes_total 0$/m,
    /^slipway_registry_collector_kept_total\{reason="grace"\} 0$/m,
    /^slipway_registry_repository_images\{repository="metrics\/app"\} 1$/m,
    /^slipway_jobs_total\{job="lifecycle",result="failed"\} 0$/m,
    /^slipway_job_last_success_timestamp_seconds\{job="garbage-collection"\} \d+/m,
    /^slipway_request_seconds_bucket\{le="0.1",service="distribution"\} [1-9]/m,
    /^slipway_build_info\{version="\d+\.\d+\.\d+",node="26\.[\d.]+"\} 1$/m,
    /^process_resident_memory_bytes [1-9]\d{7,}$/m,
    /^process_cpu_seconds_total [\d.]+$/m,
    /^process_open_fds [1-9]/m,
    /^slipway_event_loop_stalls_total \d+$/m,
  ])
    expect(text).toMatch(expected);
  const age = Date.now() / 1000 - ((await value('process_start_time_seconds')) ?? 0);
  expect(age).toBeGreaterThan(0);
  expect(age).toBeLessThan(600);
});

test('the scheduler is there too: one leader, whichever process it is in, and no number counted once a process', async () => {
  const at = 'account="000000000000",cluster="default"';
  await until(
    'the cluster to be led',
    180_000,
    async () => ((await value(`slipway_scheduler_leader_epoch{${at}}`)) ?? 0) > 0,
  );
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = server.aws();
  const credentials = { accessKeyId, secretAccessKey };
  const ecs = new ECSClient({ endpoint: server.endpoint, region: 'us-east-1', credentials });
  const containerDefinitions = [{ name: 'main', image: 'busybox', memory: 64 }];
  await ecs.send(new RegisterTaskDefinitionCommand({ family: 'web', containerDefinitions }));
  await ecs.send(new CreateServiceCommand({ serviceName: 'web', taskDefinition: 'web', desiredCount: 1 }));
  ecs.destroy();
  await until(
    'the service to be looked at',
    180_000,
    async () => (await value(`slipway_scheduler_unplaceable_services{${at}}`)) === 1,
  );
  // What is decided counts once it is in the records, which the processes that only read them may know first.
  await until(
    'the decision to count',
    180_000,
    async () => ((await value('slipway_scheduler_decisions_total{what="unplaceable"}')) ?? 0) > 0,
  );
  const text = await scrape();
  for (const expected of [
    `slipway_scheduler_agents{${at},state="connected"} 0`,
    `slipway_scheduler_tasks{${at},status="RUNNING"} 0`,
    `slipway_scheduler_rollouts{${at},state="IN_PROGRESS"} 1`,
    'slipway_scheduler_placements_waiting 0',
    'slipway_scheduler_decisions_total{what="rollback"} 0',
  ])
    expect(text.split('\n')).toContain(expected);
  expect(text).toMatch(/^slipway_scheduler_pass_seconds_count [1-9]/m);
});

test('no counter falls when a process is killed and another takes its place', async () => {
  const before = (await value(pings)) ?? 0;
  const { headers } = await targetOf(server);
  const [killed] = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8').split(' ');
  process.kill(Number(killed), 'SIGKILL');
  // Until it is gone, connections may still be given to it, and are reset with it, as are those that are kept open.
  await until('the process to end', 180_000, () => Promise.resolve(hasEnded(Number(killed))));
  await until('an answer', 180_000, () =>
    get('/healthz').then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  for (let count = 0; count < 10; count++) {
    const now = await value(pings);
    expect(now).toBeGreaterThanOrEqual(before + count);
    await (await get('/v2/', headers)).text();
  }
  await until('the process to be replaced', 180_000, async () => (await value('slipway_processes')) === 3);
  expect(await value(pings)).toBe(before + 10);
});
