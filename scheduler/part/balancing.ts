import type { UpgradeService } from '@slipway/auth/contract';
import type { Sealer } from '@slipway/auth/tokens';

import type { Probe } from '../balancing/health/index.ts';
import { createKeyPairs } from '../balancing/records/index.ts';
import {
  EngineDriver,
  EngineReports,
  Keeper,
  type LocalEngine,
  type TrafficOptions,
} from '../balancing/traffic/index.ts';
import { readArn } from '../balancing/elbv2/index.ts';
import { createBalancerEndpoint } from '../balancing/remote/index.ts';
import { TrafficNumbers } from '../balancing/numbers/index.ts';
import type { Balancers } from '../balancing/records/index.ts';
import type { ControlPlane } from '../control/index.ts';
import type { TargetGroups } from '../services/index.ts';

/** What goes on by itself for load balancing, and what its API asks of it. */
export interface BalancingPart {
  readonly reports: EngineReports;
  readonly numbers: TrafficNumbers;
  /** Where engines of other hosts connect. */
  readonly endpoint: UpgradeService;
  /** @param role `upkeep`: with what one process of a machine does for all of them */
  start(role: { readonly upkeep: boolean }): void;
  stop(): Promise<void>;
}

type Ports = Omit<TrafficOptions, 'probe' | 'certificate'> & {
  readonly engines: readonly LocalEngine[];
  readonly probe: Probe | undefined;
  readonly region: string;
  readonly sealer: Sealer;
};

/** Drives the engines of this machine, and competes for looking after targets: not without a way to check them. */
export function createBalancing({ engines, probe, ...ports }: Ports): BalancingPart {
  const options = {
    ...ports,
    certificate: createKeyPairs(ports),
  } satisfies Omit<TrafficOptions, 'probe'>;
  const numbers = new TrafficNumbers(options);
  const over = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  return {
    reports: new EngineReports(options),
    numbers,
    endpoint: createBalancerEndpoint(options),
    start({ upkeep }) {
      const { signal } = over;
      const driven = upkeep ? engines : [];
      running = Promise.all([
        numbers.run(signal),
        ...(probe === undefined || !upkeep ? [] : [new Keeper({ ...options, probe }).run(signal)]),
        ...driven.map((engine) => new EngineDriver(options, engine).run(signal)),
      ]);
    },
    async stop() {
      over.abort();
      await running;
    },
  };
}

/** A host as a target: one that has not said where it is reached cannot be one. */
export const targetHost = (
  host: ReturnType<ControlPlane['host']>,
): { readonly address: string; readonly zone: string; readonly running: boolean } | undefined =>
  host?.address === undefined ? undefined : { ...host, address: host.address };

/** Target groups as services name them. */
export const targetGroups = (balancers: Balancers, region: string): TargetGroups => ({
  patience: 10_000,
  async find(account, arn) {
    const named = readGroupArn(region, account, arn);
    const balancing = await balancers.read(account);
    const group = balancing.get('targetgroup', named);
    if (group === undefined) return undefined;
    return { targetType: group.targetType, isUsed: balancing.balancerOfGroup(group.id) !== undefined };
  },
});

/** The id in the ARN of a target group of the account's; undefined for anything else. */
function readGroupArn(region: string, account: string, arn: string): string | undefined {
  try {
    const named = readArn({ region, account }, arn);
    return named?.type === 'targetgroup' ? named.id : undefined;
  } catch {
    return undefined;
  }
}
