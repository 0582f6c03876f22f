import type { AcmeAuthority } from '@slipway/auth/acme';
import type { Sealer } from '@slipway/auth/tokens';

import { CertificateIssuer } from '../balancing/acm/index.ts';
import type { Probe } from '../balancing/health/index.ts';
import { createKeyPairs } from '../balancing/records/index.ts';
import {
  EngineDriver,
  EngineReports,
  Keeper,
  type LocalEngine,
  type TrafficOptions,
} from '../balancing/traffic/index.ts';
import { arnOfRecord, groupArn, readArn } from '../balancing/elbv2/index.ts';
import { type BalancerEndpoint, createBalancerEndpoint } from '../balancing/remote/index.ts';
import { TrafficNumbers, TrafficTeller } from '../balancing/numbers/index.ts';
import { type Balancers, groupsOfAction } from '../balancing/records/index.ts';
import type { CodeDeployOptions } from '../codedeploy/index.ts';
import type { ControlPlane } from '../control/index.ts';
import type { TargetGroups } from '../services/index.ts';
import type { MetricStore } from '../signals/metrics/index.ts';

/** What goes on by itself for load balancing, and what its API asks of it. */
export interface BalancingPart {
  readonly reports: EngineReports;
  readonly numbers: TrafficNumbers;
  /** Where engines of other hosts connect. */
  readonly endpoint: BalancerEndpoint;
  /** @param role `upkeep`: with what one process of a machine does for all of them */
  start(role: { readonly upkeep: boolean }): void;
  stop(): Promise<void>;
}

type Ports = Omit<TrafficOptions, 'probe' | 'certificate'> & {
  readonly engines: readonly LocalEngine[];
  readonly probe: Probe | undefined;
  readonly authority: AcmeAuthority | undefined;
  readonly region: string;
  readonly sealer: Sealer;
  readonly metrics: Pick<MetricStore, 'put'>;
};

/** Drives the engines of this machine, and competes for looking after targets: not without a way to check them. */
export function createBalancing({ engines, probe, authority, metrics, ...ports }: Ports): BalancingPart {
  const options = {
    ...ports,
    certificate: createKeyPairs(ports),
  } satisfies Omit<TrafficOptions, 'probe'>;
  const numbers = new TrafficNumbers(options);
  const teller = new TrafficTeller({ ...options, numbers, metrics });
  const reports = new EngineReports(options);
  // Between 0 and 1.
  const jitter = (): number => Buffer.from(ports.random(4)).readUInt32BE() / 2 ** 32;
  const over = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  return {
    reports,
    numbers,
    endpoint: createBalancerEndpoint(options),
    start({ upkeep }) {
      const { signal } = over;
      const driven = upkeep ? engines : [];
      running = Promise.all([
        numbers.run(signal),
        ...(probe === undefined || !upkeep
          ? []
          : [new Keeper({ ...options, probe }, (until) => teller.run(until)).run(signal)]),
        ...(authority === undefined || !upkeep
          ? []
          : [new CertificateIssuer({ ...options, reports, authority, random: jitter }).run(signal)]),
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
export const targetGroups = (
  balancers: Balancers,
  region: string,
): TargetGroups & CodeDeployOptions['targetGroups'] => ({
  patience: 10_000,
  async named(account, name) {
    const group = (await balancers.read(account)).all('targetgroup').find((one) => one.name === name);
    return group === undefined ? undefined : groupArn({ region, account }, group);
  },
  async find(account, arn) {
    const named = readAnyArn(region, account, arn);
    const balancing = await balancers.read(account);
    const group = named?.type === 'targetgroup' ? balancing.get('targetgroup', named.id) : undefined;
    if (group === undefined) return undefined;
    return { targetType: group.targetType, usedBy: balancing.balancerOfGroup(group.id)?.name };
  },
  async rule(account, arn) {
    const place = { region, account };
    const named = readAnyArn(region, account, arn);
    const balancing = await balancers.read(account);
    if (named === undefined || arnOfRecord(place, balancing, named) !== arn) return undefined;
    const own = named.type === 'listener-rule' ? balancing.get('listener-rule', named.id) : undefined;
    const listener =
      named.type === 'listener'
        ? balancing.get('listener', named.id)
        : own === undefined
          ? balancing.all('listener').find(({ defaultRuleId }) => defaultRuleId === named.id)
          : balancing.get('listener', own.listenerId);
    const balancer = balancing.get('loadbalancer', listener?.loadBalancerId);
    if (listener === undefined || balancer === undefined) return undefined;
    return {
      kind: named.type === 'listener' ? 'listener' : 'rule',
      balancer: { name: balancer.name, type: balancer.type },
      groups: groupsOfAction((own ?? { action: listener.defaultAction }).action).flatMap((id) => {
        const group = balancing.get('targetgroup', id);
        return group === undefined ? [] : [groupArn(place, group)];
      }),
    };
  },
});

/** What an ARN of the account's load balancing names; undefined for anything else. */
function readAnyArn(region: string, account: string, arn: string): ReturnType<typeof readArn> {
  try {
    return readArn({ region, account }, arn);
  } catch {
    return undefined;
  }
}
