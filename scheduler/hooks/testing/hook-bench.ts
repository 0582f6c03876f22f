import type { Principal } from '@slipway/auth/contract';
import { createOutbound, type Outbound } from '@slipway/auth/outbound';
import type { HeldLease, Leases } from '@slipway/storage/leases';
import { transact } from '@slipway/storage/records';

import type { ControlPlane } from '../../control/index.ts';
import { ClusterWorld, partition, ref } from '../../control/testing/cluster-world.ts';
import {
  clusterKeys,
  type HookResultRecord,
  type HookRun,
  leaderLease,
  type LifecycleHook,
  type ServiceRecord,
  type Shifting,
  toJson,
} from '../../state/index.ts';
import { ClusterViews, type HeldView } from '../../views/index.ts';
import { askHooks, type HookPorts } from '../index.ts';

/** A leadership in which hooks are asked. */
export interface Leading {
  readonly held: HeldLease;
  /** Ends it as the loss of the lease does. */
  stop(): Promise<void>;
}

export const role = 'arn:aws:iam::000000000000:role/hooks';

/**
 * A cluster in which nothing reconciles services, as its control plane never leads: what deployments wait for is written by
 * the test, and hooks are asked for real. Dispose it.
 */
export class HookBench implements AsyncDisposable {
  readonly world: ClusterWorld;
  readonly ports: HookPorts;
  readonly counted: string[] = [];
  readonly roles: string[] = [];
  /** Set: roles cannot be taken on, because of this. */
  noRole: Error | undefined;
  readonly #outbound: Outbound;
  readonly #views: HeldView;
  readonly #leading = new Set<Leading>();

  private constructor(world: ClusterWorld, plane: ControlPlane, ca?: string) {
    this.world = world;
    const resolve = (): Promise<string[]> => Promise.resolve(['127.0.0.1']);
    this.#outbound = createOutbound({ allow: ['127.0.0.1'], resolve, ...(ca === undefined ? {} : { ca }) });
    const { authorizer, log } = world.triggerOptions();
    const views = new ClusterViews({ ...world.ecs, log, placement: { seed: 1 } });
    this.#views = views.hold(ref.account, ref.cluster);
    this.ports = {
      ...world.ecs,
      log,
      authorizer,
      outbound: this.#outbound,
      sealer: {
        seal: (text, purpose) => `sealed(${purpose}):${Buffer.from(text).toString('hex')}`,
        open: (sealed, purpose) => Buffer.from(sealed.slice(`sealed(${purpose}):`.length), 'hex').toString(),
      },
      takeRole: ({ roleArn, sessionName, sourceArn }) => {
        this.roles.push(`${roleArn} ${sessionName} ${sourceArn}`);
        const session = roleArn.replace(':iam:', ':sts:').replace('role/', 'assumed-role/');
        const principal: Principal = {
          type: 'assumed-role',
          account: ref.account,
          arn: session,
          id: `AROA:${sessionName}`,
        };
        return this.noRole === undefined ? Promise.resolve(principal) : Promise.reject(this.noRole);
      },
      placer: plane.placer,
      meter: { hooked: (kind, outcome) => this.counted.push(`${kind} ${outcome}`) },
    };
  }

  /** @param ca of a scripted hook, when one is called */
  static async open(ca?: string): Promise<HookBench> {
    await using opened = new AsyncDisposableStack();
    const world = opened.use(await ClusterWorld.open());
    await world.instance('i1', { attributes: [{ name: 'com.amazonaws.ecs.capability.task-iam-role' }] });
    const plane = world.plane({ leases: never });
    await plane.start();
    const bench = new HookBench(world, plane, ca);
    await bench.#views.feed.first;
    const revision = await world.revision('app:1');
    await world.service(revision.arn);
    await bench.lead();
    opened.move();
    return bench;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const leading of this.#leading) {
      await leading.stop();
      await leading.held.release();
    }
    await this.#views.release();
    await this.#outbound.close();
    await this.world[Symbol.asyncDispose]();
  }

  /** Leads from now on. */
  async lead(ports: Partial<HookPorts> = {}): Promise<Leading> {
    const held = await this.world.storage.leases.acquire(partition, leaderLease, {
      signal: new AbortController().signal,
    });
    const { view, feed } = this.#views;
    await feed.catchUp();
    const over = new AbortController();
    const asking = askHooks({ ...this.ports, ...ports }, { view, feed, held }, over.signal);
    const leading: Leading = {
      held,
      stop: async () => {
        over.abort();
        await asking;
      },
    };
    this.#leading.add(leading);
    return leading;
  }

  /** Another server leads: the lease is given up while calls of the first are under way, and taken anew. */
  async changeLeader(ports: Partial<HookPorts> = {}): Promise<Leading> {
    const [leading] = this.#leading;
    if (leading === undefined) throw new Error('nobody leads');
    this.#leading.delete(leading);
    await leading.stop();
    await leading.held.release();
    return this.lead(ports);
  }

  /** The service's deployment waits for these runs of these hooks from now on, and for no others. */
  async wait(
    hooks: readonly Partial<LifecycleHook>[],
    runs: readonly Partial<HookRun>[],
    patch: Partial<Shifting> = {},
  ): Promise<void> {
    const now = Date.now();
    const shifting: Shifting = {
      strategy: { type: 'BLUE_GREEN' },
      bakeTimeInMinutes: 0,
      stage: 'POST_SCALE_UP',
      stageSince: now,
      step: 0,
      wanted: { production: 0, test: 0 },
      sequence: 0,
      live: { production: 0, test: 0, since: now },
      hooks: hooks.map((one) => ({
        target: { type: 'pause' },
        stages: ['POST_SCALE_UP'],
        timeoutInMinutes: 5,
        onTimeout: 'ROLLBACK',
        ...one,
      })),
      runs: runs.map((one) => ({
        id: 'run-1',
        hook: 0,
        stage: 'POST_SCALE_UP',
        step: 0,
        isRollback: false,
        status: 'IN_PROGRESS',
        startedAt: now,
        ...one,
      })),
      ...patch,
    };
    await this.change(({ deployments: [first, ...others], ...service }) => {
      if (first === undefined) throw new Error('no deployment');
      return { ...service, deployments: [{ ...first, shifting }, ...others] };
    });
  }

  async change(change: (service: ServiceRecord) => ServiceRecord): Promise<void> {
    await transact(this.world.storage.records, partition, async (tx) => {
      const service = await tx.get<ServiceRecord>(clusterKeys.service('web'));
      if (service === undefined) throw new Error('no service');
      tx.put(clusterKeys.service('web'), toJson({ ...change(service), version: service.version + 1 }));
    });
  }

  async result(run = 'run-1'): Promise<HookResultRecord | undefined> {
    const key = clusterKeys.hookResult('web', run);
    return (await this.world.storage.records.get<HookResultRecord>(partition, key))?.value;
  }

  /** Waits for an answer that decides. */
  async decided(run = 'run-1'): Promise<HookResultRecord> {
    const found = await this.world.until(
      () => this.result(run),
      (row) => row !== undefined && row.status !== 'IN_PROGRESS',
    );
    if (found === undefined) throw new Error('no result');
    return found;
  }
}

/** Leases of a server that never gets one. */
const never: Leases = {
  acquire: (_partition, _name, { signal }) =>
    new Promise((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason as Error);
      else signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }),
  observe: () => Promise.resolve(),
};
