import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import {
  CreateServiceCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
} from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { DockerCli, makeImage, missingDocker, ServerProcess, until, webImage } from '../testbed/index.ts';
import { Comparison } from './comparison.ts';
import { findDistribution, startDistribution } from './distribution.ts';
import { headRate } from './head-load.ts';
import type { Target } from './load.ts';
import { pullRate, pushImage, pushMany } from './registry-load.ts';
import { makeRepositories, targetOf } from './registry-target.ts';
import { median, quantile, render, type Row, type Section, short, spread, writeSection } from './results.ts';

/**
 * `npm run bench`: the whole product's baseline. End of `docker push` to RUNNING and to stable, start-up time, idle memory,
 * and the registry's rates beside distribution in the same run.
 */
const { values: options } = parseArgs({
  options: {
    json: { type: 'string' },
    pushes: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '5' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  process.stdout.write('npm run bench [-- --pushes 15] [--rounds 5] [--json FILE]\n');
  process.exit(0);
}
const rounds = Number(options.rounds);
const repository = 'bench/app';
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-'));
const rows: Row[] = [];
const measured: Record<string, unknown> = {};
const notes: string[] = [];

try {
  await measureStart();
  await measureRollouts(Number(options.pushes));
  await measureRegistry();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const section: Section = { name: 'baseline', title: 'Baseline: the main job', command: 'npm run bench', notes, rows };
writeSection(section);
process.stdout.write(`${render(section)}\n`);
if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(measured, undefined, 2)}\n`);

/** Time from the start of the process to the first answer, and resident memory after ten idle seconds. */
async function measureStart(): Promise<void> {
  const server = new ServerProcess(await freePort(), join(folder, 'start'), { SLIPWAY_WORKERS: '1' });
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    await server.start();
    times.push(performance.now() - started);
    if (round < rounds - 1) await server.stop();
  }
  await sleep(10_000);
  const rss = residentMiB(server.pid ?? 0);
  await server.stop();
  measured['startMs'] = times;
  measured['idleMiB'] = rss;
  rows.push({
    what: 'start to serving, data folder there',
    ours: spread(times, 'ms'),
    peer: '',
    ratio: '',
    goal: 'under 1,500 ms',
  });
  rows.push({
    what: 'idle memory of the all-in-one process, agent included',
    ours: `${short(rss)} MiB`,
    peer: '',
    ratio: '',
    goal: 'under 150 MiB',
  });
}

/** Pushes an image again and again to the tag that a service of one task follows. */
async function measureRollouts(pushes: number): Promise<void> {
  const missing = await missingDocker();
  if (missing !== undefined) {
    notes.push(`Rollouts were not measured: ${missing}.`);
    return;
  }
  const server = new ServerProcess(await freePort(), join(folder, 'rollout'));
  const docker = new DockerCli();
  await server.start();
  const { ecs, ecr } = clients(server);
  try {
    await ecr.send(new CreateRepositoryCommand({ repositoryName: 'web' }));
    await docker.check(['login', '-u', 'AWS', '--password-stdin', server.registry], await password(ecr));
    const image = `${server.registry}/web:prod`;
    await makeImage(docker, webImage(image, '0'));
    await docker.check(['push', image]);
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family: 'web',
        containerDefinitions: [
          {
            name: 'web',
            image,
            memory: 32,
            stopTimeout: 2,
            portMappings: [{ containerPort: 8080 }],
            healthCheck: {
              command: ['CMD-SHELL', 'wget -q -O /dev/null http://127.0.0.1:8080/'],
              interval: 5,
              retries: 2,
            },
          },
        ],
      }),
    );
    await ecs.send(
      new CreateServiceCommand({
        serviceName: 'web',
        taskDefinition: 'web',
        desiredCount: 1,
        tags: [{ key: 'slipway:follow', value: 'true' }],
      }),
    );
    await stable(ecs);
    const toRunning: number[] = [];
    const toStable: number[] = [];
    for (let push = 1; push <= pushes; push++) {
      await makeImage(docker, webImage(image, String(push)));
      const printed = await docker.check(['push', image]);
      const pushed = performance.now();
      const digest = /digest: (sha256:[0-9a-f]{64})/.exec(printed)?.[1] ?? '';
      await until('the new task', 60_000, () => isRunning(ecs, digest), 10);
      toRunning.push(performance.now() - pushed);
      await stable(ecs);
      toStable.push(performance.now() - pushed);
    }
    measured['pushToRunningMs'] = toRunning;
    measured['pushToStableMs'] = toStable;
    rows.push({
      what: `end of docker push to the new task RUNNING, ${pushes} pushes`,
      ours: `p50 ${short(median(toRunning))} ms, p99 ${short(quantile(toRunning, 0.99))} ms`,
      peer: '',
      ratio: '',
      goal: 'p50 under 1,000 ms, p99 under 3,000 ms',
    });
    rows.push({
      what: 'end of docker push to the service stable (health check every 5 s)',
      ours: spread(toStable, 'ms'),
      peer: '',
      ratio: '',
      goal: '',
    });
    const containers = await docker.check(['ps', '-aq', '--filter', `ancestor=${image}`]);
    await server.stop();
    if (containers !== '') await docker.run(['rm', '-f', ...containers.split('\n')]);
  } finally {
    await server.stop();
    const left = (await docker.check(['images', '-q', `${server.registry}/*`])).split('\n').filter((id) => id !== '');
    if (left.length > 0) await docker.run(['rmi', '-f', ...left]);
    docker.dispose();
  }
}

/** A few of `npm run bench:registry`'s rows, ours and distribution in turns. */
async function measureRegistry(): Promise<void> {
  const program = await findDistribution();
  const server = new ServerProcess(await freePort(), join(folder, 'registry'), { SLIPWAY_AGENT: 'off' });
  await server.start();
  await makeRepositories(server, [repository]);
  const ours = await targetOf(server);
  const peer =
    program === undefined ? undefined : await startDistribution(program, join(folder, 'distribution'), repository);
  notes.push(
    peer === undefined
      ? 'distribution could not be built (no Go): rates stand alone.'
      : `Peer: distribution ${peer.version}, file system, in-memory descriptor cache, token authentication; ours answers pushes after fsync, it does not. Client, server and disk share the machine; ${rounds} rounds in turns, median (least to most). More, and how it is measured, under "Registry".`,
  );
  const targets = peer === undefined ? [ours] : [ours, peer.target];
  const comparison = new Comparison(rounds, (line) => process.stdout.write(`${line}\n`));
  const size = 16 << 20;
  const pulled = new Map<Target, readonly string[]>();
  for (const target of targets) {
    await pushImage(target, repository, ['v1']);
    await pushMany(target, repository, 500, 1024, 4);
    const { blobs } = await pushMany(target, repository, 8, size, 2);
    pulled.set(
      target,
      blobs.map(({ digest }) => `/v2/${repository}/blobs/${digest}`),
    );
  }
  const path = `/v2/${repository}/manifests/v1`;
  const reads = async (target: Target) => {
    const { perSecond, p99 } = await headRate(target, path, 32, 3);
    return { value: perSecond, p99 };
  };
  const pushes = (count: number, bytes: number, per: number) => async (target: Target) => ({
    value: (await pushMany(target, repository, count, bytes, 4)).perSecond * per,
  });
  await comparison.compare('manifest HEAD by tag, 32 connections', 'requests/s', 'at least 5x', targets, reads);
  await comparison.compare('push 1 KiB blobs, 4 at a time', 'blobs/s', 'at least 2x', targets, pushes(400, 1024, 1));
  await comparison.compare('push 16 MiB blobs, 4 at a time', 'MiB/s', '', targets, pushes(24, size, 16));
  await comparison.compare('pull 16 MiB blobs, 4 at a time', 'MiB/s', '', targets, async (target) => ({
    value: (await pullRate(target, pulled.get(target) ?? [], 4, 3)) / 2 ** 20,
  }));
  rows.push(...comparison.rows);
  Object.assign(measured, comparison.measured);
  await peer?.stop();
  await server.stop();
}

function clients(server: ServerProcess): { readonly ecs: ECSClient; readonly ecr: ECRClient } {
  const env = server.aws();
  const config = {
    endpoint: server.endpoint,
    region: env['AWS_REGION'] ?? '',
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  };
  return { ecs: new ECSClient(config), ecr: new ECRClient(config) };
}

async function password(ecr: ECRClient): Promise<string> {
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  return Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64')
    .toString()
    .replace(/^AWS:/, '');
}

async function isRunning(ecs: ECSClient, digest: string): Promise<boolean> {
  const { taskArns = [] } = await ecs.send(new ListTasksCommand({ serviceName: 'web' }));
  if (taskArns.length === 0) return false;
  const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ tasks: taskArns }));
  return tasks.some(
    (task) => task.lastStatus === 'RUNNING' && task.containers?.some((container) => container.imageDigest === digest),
  );
}

async function stable(ecs: ECSClient): Promise<void> {
  await until(
    'the service to be stable',
    120_000,
    async () => {
      const { services } = await ecs.send(new DescribeServicesCommand({ services: ['web'] }));
      const service = services?.[0];
      return (
        service?.deployments?.length === 1 &&
        service.deployments[0]?.rolloutState === 'COMPLETED' &&
        service.runningCount === service.desiredCount
      );
    },
    50,
  );
}

function residentMiB(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;
}
