import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TrafficEngine } from '@slipway/scheduler/balancing/engines';
import { HealthChecker, networkProbe } from '@slipway/scheduler/balancing/health';
import { Balancers, type TargetRecord } from '@slipway/scheduler/balancing/records';
import { EngineDriver } from '@slipway/scheduler/balancing/traffic';
import { Networks } from '@slipway/scheduler/network/records';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { openLeases } from '@slipway/storage/leases';
import { freePort } from '@slipway/storage/testing';
import { until } from '../../testbed/index.ts';
import { engineAt, openEngine, type Proxy } from './proxies.ts';

const account = '000000000000';
const region = 'us-east-1';
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const id = (kind: number, number: number): string => `${kind.toString(16)}${number.toString(16).padStart(15, '0')}`;

/** Records of one load balancer on the disk, as a server has them. */
export interface Driven {
  readonly proxy: Proxy;
  /** Registers a target, and has the one before drain. @returns milliseconds until that is live on the engine, the commit included */
  replaceTarget(): Promise<number>;
  stop(): Promise<void>;
}

/** An engine that is driven by records on the disk, as a server does it. */
export async function drivenEngine(kind: TrafficEngine['kind'], folder: string, backEnd: number): Promise<Driven> {
  const port = await freePort();
  const world = await openRecords(folder);
  await world.furnish({ port, groups: 1, targets: 1, backEnd });
  const place = join(folder, 'engine');
  mkdirSync(place, { mode: 0o700 });
  const engine = await openEngine(kind, place);
  let live = 0;
  /** Who waits for generations. */
  const waiting = new Map<number, () => void>();
  const watched: TrafficEngine = {
    ...engine,
    apply: async (desired) => {
      const applied = await engine.apply(desired);
      live = applied.generation;
      for (const [generation, tell] of waiting) if (generation <= live) tell();
      return applied;
    },
  };
  const over = new AbortController();
  const driver = new EngineDriver(world.traffic, { id: 'bench', open: () => Promise.resolve(watched) });
  const running = driver.run(over.signal);
  const isLive = (generation: number): Promise<void> =>
    live >= generation ? Promise.resolve() : new Promise((resolve) => waiting.set(generation, resolve));
  await until('the first state to be live', 60_000, () => Promise.resolve(live > 0));
  let number = 0;
  return {
    proxy: engineAt(engine, place, { plain: port, secure: port }),
    async replaceTarget() {
      const begun = performance.now();
      const { balancing } = await world.balancers.change(account, (draft) => {
        // It has drained for as long as the change before this one took.
        draft.remove('target', id(4, number - 1));
        draft.put('target', { ...targetOf(number, 0, backEnd), deregisteredAt: draft.now });
        draft.put('target', targetOf(++number, 0, backEnd));
      });
      await isLive(balancing.generation);
      return performance.now() - begun;
    },
    async stop() {
      over.abort();
      await running;
      await engine.stop();
      await world.close();
    },
  };
}

/** What checks of many targets cost: until all are healthy, and from then on. */
export interface CheckLoad {
  readonly secondsUntilHealthy: number;
  /** Seconds of processor time until then, of checks and commits. */
  readonly cpuUntilHealthy: number;
  /** Shares of a core, over one interval. */
  readonly share: number;
}

/** Looks after many targets for an interval of their checks, as one server does for all. */
export async function checkLoad(
  folder: string,
  given: { readonly groups: number; readonly targets: number; readonly backEnd: number; readonly interval: number },
): Promise<CheckLoad> {
  const world = await openRecords(folder);
  await world.furnish({ ...given, port: 80, isNew: true });
  const checker = new HealthChecker({ balancers: world.balancers, clock: systemClock, log, probe: networkProbe });
  const over = new AbortController();
  const [begun, cpu] = [performance.now(), process.cpuUsage()];
  checker.update(await world.balancers.read(account));
  const running = checker.run(account, undefined, over.signal);
  const seconds = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1e6;
  await until('all targets to be healthy', 600_000, async () =>
    (await world.balancers.read(account)).all('target').every(({ health }) => health.state === 'healthy'),
  );
  const secondsUntilHealthy = (performance.now() - begun) / 1000;
  const cpuUntilHealthy = seconds(process.cpuUsage(cpu));
  const [settled, later] = [performance.now(), process.cpuUsage()];
  await systemClock.sleep(given.interval * 1000);
  const share = seconds(process.cpuUsage(later)) / ((performance.now() - settled) / 1000);
  over.abort();
  await running;
  await world.close();
  return { secondsUntilHealthy, cpuUntilHealthy, share };
}

async function openRecords(folder: string) {
  const storage = await openStorage(
    {
      records: { type: 'sqlite', file: join(folder, 'records.db') },
      blobs: { type: 'filesystem', root: join(folder, 'blobs') },
    },
    systemClock,
  );
  const { records } = storage;
  const context = { records, clock: systemClock, random: randomBytes };
  const networks = new Networks({ ...context, region, zonesOfHosts: () => Promise.resolve([`${region}a`]) });
  const balancers = new Balancers(context);
  return {
    balancers,
    close: () => storage.close(),
    traffic: {
      ...context,
      account,
      balancers,
      networks,
      leases: openLeases(records, systemClock, Math.random),
      log,
      shifts: { read: () => Promise.resolve([]), note: () => Promise.resolve(), tell: () => Promise.resolve() },
      certificate: () => Promise.resolve(undefined),
    },
    /** A load balancer with a listener, and so many groups with so many targets each; a rule for each group but the first. */
    furnish: (wanted: {
      readonly port: number;
      readonly groups: number;
      readonly targets: number;
      readonly backEnd: number;
      readonly interval?: number;
      /** Whether nobody has checked the targets yet. */
      readonly isNew?: boolean;
    }) =>
      inPieces(wanted.groups, (from, to) =>
        balancers.change(account, (draft) => {
          const noun = (of: string) => ({ id: of, tags: {}, createdAt: draft.now, attributes: {} });
          const forward = (group: number) =>
            ({ type: 'forward', targetGroups: [{ id: id(3, group), weight: 1 }] }) as const;
          draft.put('loadbalancer', {
            ...noun(id(1, 0)),
            name: 'bench',
            type: 'application',
            scheme: 'internet-facing',
            vpcId: 'vpc-bench',
            subnets: [],
            securityGroups: [],
            address: '127.0.0.1',
            dnsName: 'bench.example.com',
          });
          draft.put('listener', {
            ...noun(id(2, 0)),
            loadBalancerId: id(1, 0),
            protocol: 'HTTP',
            port: wanted.port,
            certificates: [],
            defaultAction: forward(0),
            defaultRuleId: id(2, 1),
          });
          for (let group = from; group < to; group++) {
            draft.put('targetgroup', {
              ...noun(id(3, group)),
              name: `bench-${group}`,
              protocol: 'HTTP',
              port: 80,
              vpcId: 'vpc-bench',
              targetType: 'ip',
              healthCheck: {
                protocol: 'HTTP',
                port: 'traffic-port',
                path: '/',
                matcher: '200',
                interval: wanted.interval ?? 30,
                timeout: 5,
                healthyThreshold: 5,
                unhealthyThreshold: 2,
              },
            });
            if (group > 0)
              draft.put('listener-rule', {
                id: id(5, group),
                tags: {},
                listenerId: id(2, 0),
                priority: group,
                conditions: [{ field: 'host-header', values: [`h${group}.example.com`], regexValues: [] }],
                action: forward(group),
              });
            for (let i = 0; i < wanted.targets; i++) {
              const one = targetOf(group * wanted.targets + i, group, wanted.backEnd);
              draft.put('target', wanted.isNew === true ? { ...one, health: { state: 'initial' } } : one);
            }
          }
        }),
      ),
  };
}

/** As many groups at a time as a commit takes with their targets and rules. */
async function inPieces(groups: number, make: (from: number, to: number) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < groups; from += 100) await make(from, Math.min(groups, from + 100));
}

const targetOf = (number: number, group: number, port: number): TargetRecord => ({
  id: id(4, number),
  tags: {},
  groupId: id(3, group),
  targetId: '127.0.0.1',
  address: '127.0.0.1',
  port,
  registeredAt: 0,
  health: { state: 'healthy', passed: true },
});
