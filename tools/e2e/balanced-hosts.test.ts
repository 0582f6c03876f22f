import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BalancedHosts, missingForBalancedHosts, virtual } from '../testbed/balanced-hosts.ts';
import { makeService, underLoad, untilSteady } from '../testbed/balanced-service.ts';
import { unacknowledged } from '../testbed/balanced-stage.ts';
import { until } from '../testbed/command.ts';
import { deployInEveryWay, type Deploying, DeployingPlace } from '../testbed/deploying/index.ts';
import { describeReport, type LoadOptions, type Report, startLoadsOn } from '../testbed/load/index.ts';

/**
 * Load balancers on several hosts: engines on two of three Docker hosts carry one address, which the router leads to either. No request is
 * lost while services are deployed in every way there is and called back, the server is killed, and what drives an engine or an engine
 * itself dies.
 */
const missing = await missingForBalancedHosts();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

const longest = 240_000;
/** Each is a deployment of every service that goes to its end, and one that is called back: 60 deployments, or 1,008. */
const rounds = { nightly: 84, release: 84 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 5;

describe.skipIf(missing !== undefined)(
  `load balancers on several hosts${missing === undefined ? '' : ` (${missing})`}`,
  { timeout: 1_200_000 + rounds * 120_000 },
  () => {
    let stage: BalancedHosts;
    let place: DeployingPlace;
    let services: readonly Deploying[];

    const steady = (): Promise<void> =>
      untilSteady(stage.server, stage.balanced.group).catch((cause: unknown) => {
        throw new Error(stage.logs(), { cause });
      });
    const update = (...args: string[]): Promise<unknown> =>
      stage.aws('ecs', 'update-service', '--service', 'web', args);
    const allCurrent = (): Promise<true> =>
      until('both engines', longest, async () => {
        const engines = await stage.engines();
        return engines.length === 2 && engines.every((text) => text.endsWith(' current'));
      });

    /** Every kind of client on each service, through each engine: on the host itself that carries the address. */
    async function deployUnderLoad(name: string, work: () => Promise<void>): Promise<readonly Report[]> {
      const loads = services.map(({ name, way }): LoadOptions => ({
        address: virtual,
        port: way.port,
        host: way.host,
        services: [name],
        isSecure: true,
        mix: { busy: 1, posting: 1, thinking: 1, fresh: 1, slow: 1, events: 1, chunked: 1, webSocket: 1, http2: 1 },
        ease: 20,
      }));
      const running = [stage.one, stage.two].map((host) =>
        startLoadsOn(host, loads, join(stage.folder, `${name}-${host.name}.log`)),
      );
      const more = (): Promise<unknown> => Promise.all(running.map((load) => load.more()));
      const stop = async (): Promise<readonly Report[]> =>
        (await Promise.all(running.map((load) => load.stop()))).flat();
      try {
        await more();
        await work();
        await more();
      } catch (cause) {
        const reports = await stop();
        throw new Error(`${reports.map(describeReport).join('\n')}\n${stage.logs()}`, { cause });
      }
      return stop();
    }

    beforeAll(async () => {
      stage = await BalancedHosts.open();
      place = await DeployingPlace.on(stage);
      const { group } = stage.balanced;
      // An engine that nobody drives is waited for that long.
      await stage.aws(
        ['elbv2', 'modify-target-group-attributes', '--target-group-arn', group],
        ['--attributes', 'Key=deregistration_delay.timeout_seconds,Value=15'],
      );
      const web = { image: stage.image, group, count: 3 };
      await Promise.all([
        makeService(stage.cli, web, ['--placement-strategy', 'type=spread,field=instanceId']),
        deployInEveryWay(place).then((made) => (services = made)),
      ]);
      await steady();
    }, 600_000);

    afterAll(async () => {
      place?.[Symbol.dispose]();
      await stage?.[Symbol.asyncDispose]();
    }, 600_000);

    test('each host carries all of it, and no request is lost whatever of the others dies', async () => {
      await allCurrent();
      const kinds = (await stage.engines()).map((text) => text.split(' ').slice(0, 2).join(' '));
      expect(kinds).toEqual(['balancer:edge-1 haproxy', 'balancer:edge-2 embedded']);
      const report = await underLoad(virtual, stage.balanced, async () => {
        await update('--force-new-deployment');
        await sleep(2_000);
        await stage.restart('SIGKILL');
        await steady();
        // What drives the other engine dies during a rollout; the engine itself carries on, and is driven again.
        await update('--force-new-deployment');
        await stage.kill(stage.two, 'cli/main.ts', 'balancer');
        await steady();
        stage.carry(stage.two);
        await allCurrent();
        // An engine that dies is started anew with all that it is to carry.
        await update('--force-new-deployment');
        await stage.kill(stage.two, 'embedded/main.ts');
        await steady();
        await allCurrent();
      });
      expect(report.failures, `${describeReport(report)}\n${stage.logs()}`).toEqual([]);
    });

    test('no request is lost while services are deployed in every way, and called back', async () => {
      /** What dies while deployments of all services have begun; engines carry on, and are driven again. */
      const deaths = [
        () => stage.restart('SIGKILL'),
        async () => {
          await stage.kill(stage.one, 'cli/main.ts', 'balancer');
          stage.carry(stage.one);
        },
        async () => {
          await stage.kill(stage.two, 'cli/main.ts', 'balancer');
          stage.carry(stage.two);
        },
      ];
      let deployed = 0;
      const reports = await deployUnderLoad('every-way', async () => {
        for (let round = 0; round < rounds; round++) {
          const ends = await Promise.all(services.map((service) => service.forward()));
          await deaths[round]?.();
          await Promise.all(
            services.map(async (service, i) => {
              await ends[i]?.();
              await service.back();
            }),
          );
          deployed += 2 * services.length;
        }
      });
      expect(deployed).toBe(12 * rounds);
      expect(
        reports.flatMap(({ failures }) => failures),
        `${reports.map(describeReport).join('\n')}\n${stage.logs()}`,
      ).toEqual([]);
    });

    test('requests fail when tasks are stopped before engines have acknowledged', async () => {
      await stage.restart('SIGTERM', unacknowledged);
      try {
        let failed = 0;
        for (let attempt = 0; attempt < 10 && failed === 0; attempt++) {
          const reports = await deployUnderLoad(`unacknowledged-${attempt}`, async () => {
            const ends = await Promise.all(services.map((service) => service.forward()));
            await Promise.all(ends.map((end) => end()));
          });
          failed = reports.flatMap(({ failures }) => failures).length;
        }
        expect(failed).toBeGreaterThan(0);
      } finally {
        await stage.restart('SIGTERM', { NODE_OPTIONS: '' });
      }
    });

    test('the address may move to the other one, and a host that leaves is not waited for', async () => {
      await stage.lead(stage.two);
      const report = await underLoad(virtual, stage.balanced, async () => {
        await update('--force-new-deployment');
        await steady();
        await stage.kill(stage.one, 'cli/main.ts', 'balancer');
        expect(await stage.leave(stage.one), stage.logs()).toMatchObject({ code: 0 });
        await expect.poll(() => stage.pids(stage.one, 'haproxy'), { timeout: longest }).toEqual([]);
        // What was deployed before may have left it something to do.
        await expect.poll(() => stage.engines(), { timeout: longest }).toEqual(['balancer:edge-2 embedded current']);
        await update('--force-new-deployment');
        await steady();
      });
      expect(report.failures, `${describeReport(report)}\n${stage.logs()}`).toEqual([]);
    });

    test('a name is nobody else’s: the key of one host carries nothing under another', async () => {
      const refused = await stage.carryBy(stage.two, stage.one);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/slipway: the server answers 403: .*slipway:CarryTraffic/);
    });
  },
);
