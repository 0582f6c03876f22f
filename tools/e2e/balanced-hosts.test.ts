import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Balanced,
  makeBalancer,
  makeService,
  makeTargetImage,
  underLoad,
  untilSteady,
} from '../testbed/balanced-service.ts';
import { check, run, until } from '../testbed/command.ts';
import { DockerCli, missingDocker } from '../testbed/docker.ts';
import { missingHosts, startHosts, type TestHost, type TestHosts } from '../testbed/hosts.ts';
import { describeReport } from '../testbed/load/index.ts';
import { joinHosts, pushFrom, type ServerForHosts, startServerFor, userOf } from '../testbed/machines.ts';
import { shellBlocks } from '../testbed/readme.ts';

/**
 * Load balancers on several hosts: engines on two of three Docker hosts carry one address, which the router leads to either. No request is
 * lost while the service is rolled out, the server is killed, and what drives an engine or an engine itself dies.
 */
const noHaproxy = existsSync('/usr/sbin/haproxy') ? undefined : 'no HAProxy';
const missing = missingHosts() ?? (await missingDocker()) ?? noHaproxy;
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const root = join(import.meta.dirname, '..', '..');
const [makeUser = '', start = '', leave = ''] = shellBlocks('tools/machines.md', 'Load balancers on several hosts');
/** The address of the load balancer: documentation has it (RFC 5737), no network does. */
const virtual = '198.51.100.7';
const longest = 240_000;

interface Shown {
  readonly generation: number;
  readonly engines: readonly { readonly id: string; readonly kind: string; readonly state: string }[];
}

describe.skipIf(missing !== undefined)(
  `load balancers on several hosts${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 900_000 },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-lb-hosts-'));
    const docker = new DockerCli();
    const local = `slipway-lb-hosts-${randomUUID()}:1`;
    const keys = new Map<string, Readonly<Record<string, string>>>();
    let made: TestHosts;
    let joined: ServerForHosts;
    let one: TestHost;
    let two: TestHost;
    let balanced: Balanced;

    const aws = <T>(...args: readonly (string | readonly string[])[]): Promise<T> => joined.aws.json<T>(args.flat());
    const logOf = (host: TestHost): string => join(folder, `${host.name}-balancer.log`);
    const logs = (): string =>
      [
        joined.server.log.slice(-4_000),
        ...[one, two].map((host) => readFileSync(logOf(host), 'utf8').slice(-3_000)),
      ].join('\n---\n');

    /** The command of the page for a host, as it is typed there. */
    function typed(host: TestHost, command: string): { script: string; env: Record<string, string> } {
      const own = host === one ? 'edge-1' : 'edge-2';
      return {
        script: `cd ${root}\n${command.trim().replaceAll('edge-1', own)} "$@"`,
        env: {
          PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
          AWS_ENDPOINT_URL: `http://${joined.address}`,
          ...keys.get(own),
        },
      };
    }
    /** What a host runs beside the page's words: its engine, and a folder of its own. */
    const options = (host: TestHost): string[] => [
      `--engine=${host === one ? 'haproxy' : 'embedded'}`,
      `--data=${join(folder, `${host.name}-balancer`)}`,
    ];
    function carry(host: TestHost): void {
      const { script, env } = typed(host, start);
      host.start('sh', ['-euc', script, 'sh', ...options(host)], env, logOf(host));
    }
    /** Processes of a host whose words hold all of these. */
    async function pids(host: TestHost, ...words: readonly string[]): Promise<number[]> {
      const all = await check('ip', ['netns', 'pids', host.name]);
      return all
        .split('\n')
        .map(Number)
        .filter((pid) => pid > 1 && words.every((word) => commandOf(pid).includes(word)));
    }
    async function kill(host: TestHost, ...words: readonly string[]): Promise<void> {
      const found = await pids(host, ...words);
      expect(found, `processes with ${words.join(' ')}`).not.toEqual([]);
      for (const pid of found) process.kill(pid, 'SIGKILL');
    }

    async function shown(): Promise<Shown> {
      const { stdout } = await run(
        process.execPath,
        [join(root, 'tools', 'cli', 'main.ts'), 'lb', 'show', 'web', '--output', 'json'],
        {
          env: joined.server.aws(),
        },
      );
      return JSON.parse(stdout) as Shown;
    }
    const engines = async (): Promise<string[]> =>
      (await shown()).engines.map(({ id, kind, state }) => `${id} ${kind} ${state}`).toSorted();
    const steady = (): Promise<void> =>
      untilSteady(joined.server, balanced.group).catch((cause: unknown) => {
        throw new Error(logs(), { cause });
      });
    const update = (...args: string[]): Promise<unknown> => aws('ecs', 'update-service', '--service', 'web', args);

    /** Leads the address to a host, as a router does. */
    const lead = (host: TestHost): Promise<string> =>
      check('ip', ['route', 'replace', `${virtual}/32`, 'via', host.address]);

    beforeAll(async () => {
      made = await startHosts(3);
      [one, two] = made.hosts as [TestHost, TestHost, TestHost];
      joined = await startServerFor(made, join(folder, 'data'), {
        SLIPWAY_LB_ENGINE: 'off',
        SLIPWAY_LB_ADDRESSES: virtual,
      });
      for (const host of [one, two]) await host.run('ip', ['addr', 'add', `${virtual}/32`, 'dev', 'lo']);
      await lead(one);
      await joinHosts(made, joined, folder, () => ({ ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION: '1s' }));
      for (const own of ['edge-1', 'edge-2'])
        keys.set(own, await userOf(joined.server, makeUser.replaceAll('edge-1', own)));
      for (const host of [one, two]) carry(host);

      await makeTargetImage(docker, local);
      await aws('ecr', 'create-repository', '--repository-name', 'target');
      await pushFrom(one, joined, docker, { image: local, archive: join(folder, 'target.tar'), as: 'target:1' });
      balanced = await makeBalancer(joined.aws, { port: 8_080, from: '198.18.0.0/16' });
      // An engine that nobody drives is waited for that long.
      await aws(
        ['elbv2', 'modify-target-group-attributes', '--target-group-arn', balanced.group],
        ['--attributes', 'Key=deregistration_delay.timeout_seconds,Value=15'],
      );
      await makeService(joined.aws, { image: `${joined.address}/target:1`, group: balanced.group, count: 3 }, [
        '--placement-strategy',
        'type=spread,field=instanceId',
      ]);
      await steady();
    }, 600_000);

    afterAll(async () => {
      await joined?.server.stop();
      await made?.[Symbol.asyncDispose]();
      await run('ip', ['route', 'del', `${virtual}/32`]);
      await docker.run(['rmi', '--force', local]);
      docker.dispose();
      rmSync(folder, { recursive: true, force: true });
    }, 120_000);

    test('each host carries all of it, and no request is lost whatever of the others dies', async () => {
      expect(await engines()).toEqual(['balancer:edge-1 haproxy current', 'balancer:edge-2 embedded current']);
      const report = await underLoad(virtual, balanced, async () => {
        await update('--force-new-deployment');
        await sleep(2_000);
        await joined.server.stop('SIGKILL');
        await joined.server.start();
        await steady();
        // What drives the other engine dies during a rollout; the engine itself carries on, and is driven again.
        await update('--force-new-deployment');
        await kill(two, 'cli/main.ts', 'balancer');
        await steady();
        carry(two);
        await until('both engines', longest, async () => (await engines()).every((text) => text.endsWith(' current')));
        // An engine that dies is started anew with all that it is to carry.
        await update('--force-new-deployment');
        await kill(two, 'embedded/main.ts');
        await steady();
        await until('both engines', longest, async () => (await engines()).every((text) => text.endsWith(' current')));
      });
      expect(report.failures, `${describeReport(report)}\n${logs()}`).toEqual([]);
    });

    test('the address may move to the other one, and a host that leaves is not waited for', async () => {
      await lead(two);
      const report = await underLoad(virtual, balanced, async () => {
        await update('--force-new-deployment');
        await steady();
        await kill(one, 'cli/main.ts', 'balancer');
        const { script, env } = typed(one, leave);
        const left = await one.run('sh', ['-euc', script, 'sh', ...options(one)], { env });
        expect(left, logs()).toMatchObject({ code: 0 });
        expect(await pids(one, 'haproxy')).toEqual([]);
        expect(await engines()).toEqual(['balancer:edge-2 embedded current']);
        await update('--force-new-deployment');
        await steady();
      });
      expect(report.failures, `${describeReport(report)}\n${logs()}`).toEqual([]);
    });

    test('a name is nobody else’s: the key of one host carries nothing under another', async () => {
      const { env } = typed(one, start);
      const { script } = typed(two, start);
      const refused = await one.run('sh', ['-euc', script, 'sh', ...options(one)], { env });
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/slipway: the server answers 403: .*slipway:CarryTraffic/);
    });
  },
);

const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
};
