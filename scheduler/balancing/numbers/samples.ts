import type { Dimension, Sample, StatisticSet } from '../../signals/metrics/index.ts';
import {
  type Codes,
  codesBetween,
  type Counts,
  countsBetween,
  latencyBounds,
  noCodes,
  noCounts,
} from '../engines/index.ts';
import { balancerPath, type Balancing, type LoadBalancerRecord, type TargetGroupRecord } from '../records/index.ts';

import type { TrafficNumbers } from './numbers.ts';

/** What was counted until a time, all engines together. */
export interface TrafficSums {
  readonly groups: ReadonlyMap<string, Counts>;
  readonly balancers: ReadonlyMap<string, BalancerSums>;
}

interface BalancerSums {
  readonly engineCodes: Codes;
  readonly connections: number;
  readonly requests: number;
  /** Now. */
  readonly active: number;
}

export function sumsOf(numbers: Pick<TrafficNumbers, 'groups' | 'balancers'>): TrafficSums {
  return {
    groups: new Map(numbers.groups().map(({ id, counts }) => [id, counts])),
    balancers: new Map(
      numbers.balancers().map(({ id, engineCodes, listeners }) => {
        const all = [...listeners.values()];
        const sum = (of: (one: (typeof all)[number]) => number): number =>
          all.reduce((total, one) => total + of(one), 0);
        return [
          id,
          {
            engineCodes,
            connections: sum(({ connections }) => connections),
            requests: sum(({ requests }) => requests),
            active: sum(({ activeConnections }) => activeConnections),
          },
        ];
      }),
    ),
  };
}

/** What one load balancer has done in a minute, and how its targets are. */
interface Minute {
  readonly balancer: LoadBalancerRecord;
  readonly groups: readonly { readonly group: TargetGroupRecord; readonly counts: Counts; readonly hosts: Hosts }[];
  readonly engineCodes: Codes;
  readonly connections: number;
  readonly active: number;
}

interface Hosts {
  readonly healthy: number;
  readonly unhealthy: number;
  readonly registered: number;
}

/**
 * What load balancers did between two looks, as ELB tells it to CloudWatch (the CloudWatch metrics pages of the ELB user guides for
 * each kind): AWS/ApplicationELB, AWS/NetworkELB, and AWS/ELB for Classic Load Balancers. Only what engines count: nothing is told by
 * zone, and nothing of an application load balancer's open connections.
 * @param at when the minute began, milliseconds since the epoch
 */
export function trafficSamples(balancing: Balancing, before: TrafficSums, after: TrafficSums, at: number): Sample[] {
  const { carried } = balancing;
  return carried.all('loadbalancer').flatMap((balancer) => {
    const groups = [...carried.groupsOf(balancer.id)].flatMap((id) => {
      const group = carried.get('targetgroup', id);
      if (group === undefined) return [];
      const counts = between(before.groups.get(id), after.groups.get(id));
      return [{ group, counts, hosts: hostsOf(carried, id) }];
    });
    const [was, is] = [before.balancers.get(balancer.id), after.balancers.get(balancer.id)];
    const minute: Minute = {
      balancer,
      groups,
      engineCodes: is === undefined ? noCodes : codesBetween(was?.engineCodes ?? noCodes, is.engineCodes),
      connections: Math.max(0, (is?.connections ?? 0) - (was?.connections ?? 0)),
      active: is?.active ?? 0,
    };
    if (balancing.get('classic', balancer.id) !== undefined) return classicSamples(minute, at);
    return balancer.type === 'network' ? networkSamples(minute, at) : applicationSamples(minute, at);
  });
}

/** What was counted in between; nothing when a sum has sunk, as rows of it were removed: nothing is to count twice. */
function between(before: Counts = noCounts, after: Counts = noCounts): Counts {
  return after.requests < before.requests ? noCounts : countsBetween(before, after);
}

function hostsOf(balancing: Balancing, groupId: string): Hosts {
  const known = balancing.targetsOf(groupId).filter(({ deregisteredAt }) => deregisteredAt === undefined);
  const of = (state: string): number => known.filter(({ health }) => health.state === state).length;
  return { healthy: of('healthy'), unhealthy: of('unhealthy'), registered: known.length };
}

function applicationSamples({ balancer, groups, engineCodes, connections }: Minute, at: number): Sample[] {
  const LoadBalancer = balancerPath(balancer);
  const whole = teller('AWS/ApplicationELB', { LoadBalancer }, at);
  const counted = groups.map(({ counts }) => counts);
  const [, redirects, clients, servers] = engineCodes;
  return [
    ...(groups.some(({ hosts }) => hosts.registered > 0)
      ? [
          whole.sum(
            'RequestCount',
            'Count',
            total(counted, ({ requests }) => requests),
          ),
        ]
      : []),
    ...whole.targets('HTTPCode_Target', counted),
    ...whole.times('TargetResponseTime', counted),
    ...whole.some(
      'TargetConnectionErrorCount',
      'Count',
      total(counted, ({ connectionErrors }) => connectionErrors),
    ),
    ...whole.some('HTTPCode_ELB_3XX_Count', 'Count', redirects),
    ...whole.some('HTTPCode_ELB_4XX_Count', 'Count', clients),
    ...whole.some('HTTPCode_ELB_5XX_Count', 'Count', servers),
    ...whole.some('NewConnectionCount', 'Count', connections),
    ...whole.some(
      'ProcessedBytes',
      'Bytes',
      total(counted, ({ bytesIn, bytesOut }) => bytesIn + bytesOut),
    ),
    ...groups.flatMap(({ group, counts, hosts }) => {
      if (hosts.registered === 0) return [];
      const TargetGroup = `targetgroup/${group.name}/${group.id}`;
      const both = teller('AWS/ApplicationELB', { TargetGroup, LoadBalancer }, at);
      const alone = teller('AWS/ApplicationELB', { TargetGroup }, at);
      // When none is healthy, requests go to all that have been.
      const each = counts.requests / (hosts.healthy === 0 ? hosts.registered : hosts.healthy);
      return [
        both.sum('RequestCount', 'Count', counts.requests),
        both.sum('RequestCountPerTarget', 'Count', each),
        alone.sum('RequestCountPerTarget', 'Count', each),
        ...both.targets('HTTPCode_Target', [counts]),
        ...both.times('TargetResponseTime', [counts]),
        ...both.some('TargetConnectionErrorCount', 'Count', counts.connectionErrors),
        both.sum('HealthyHostCount', 'Count', hosts.healthy),
        both.sum('UnHealthyHostCount', 'Count', hosts.unhealthy),
      ];
    }),
  ];
}

function networkSamples({ balancer, groups, connections, active }: Minute, at: number): Sample[] {
  const LoadBalancer = balancerPath(balancer);
  const whole = teller('AWS/NetworkELB', { LoadBalancer }, at);
  const bytes = total(
    groups.map(({ counts }) => counts),
    ({ bytesIn, bytesOut }) => bytesIn + bytesOut,
  );
  return [
    whole.sum('ActiveFlowCount', 'Count', active),
    whole.sum('NewFlowCount', 'Count', connections),
    whole.sum('ProcessedBytes', 'Bytes', bytes),
    ...groups.flatMap(({ group, hosts }) => {
      if (hosts.registered === 0) return [];
      const TargetGroup = `targetgroup/${group.name}/${group.id}`;
      const both = teller('AWS/NetworkELB', { TargetGroup, LoadBalancer }, at);
      return [
        both.sum('HealthyHostCount', 'Count', hosts.healthy),
        both.sum('UnHealthyHostCount', 'Count', hosts.unhealthy),
      ];
    }),
  ];
}

function classicSamples({ balancer, groups, engineCodes }: Minute, at: number): Sample[] {
  const whole = teller('AWS/ELB', { LoadBalancerName: balancer.name }, at);
  const counted = groups.map(({ counts }) => counts);
  const [, , clients, servers] = engineCodes;
  // Its instances are in one group for each of its ports, and checked alike.
  const hosts = groups[0]?.hosts;
  return [
    ...whole.some(
      'RequestCount',
      'Count',
      total(counted, ({ requests }) => requests),
    ),
    ...whole.targets('HTTPCode_Backend', counted, ''),
    ...whole.times('Latency', counted),
    ...whole.some(
      'BackendConnectionErrors',
      'Count',
      total(counted, ({ connectionErrors }) => connectionErrors),
    ),
    ...whole.some('HTTPCode_ELB_4XX', 'Count', clients),
    ...whole.some('HTTPCode_ELB_5XX', 'Count', servers),
    ...whole.some(
      'EstimatedProcessedBytes',
      'Bytes',
      total(counted, ({ bytesIn, bytesOut }) => bytesIn + bytesOut),
    ),
    ...(hosts === undefined || hosts.registered === 0
      ? []
      : [
          whole.sum('HealthyHostCount', 'Count', hosts.healthy),
          whole.sum('UnHealthyHostCount', 'Count', hosts.unhealthy),
        ]),
  ];
}

const total = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((sum, one) => sum + of(one), 0);

function teller(namespace: string, of: Readonly<Record<string, string>>, timestamp: number) {
  const dimensions: Dimension[] = Object.entries(of).map(([name, value]) => ({ name, value }));
  const sample = (name: string, unit: string, measured: Sample['measured']): Sample => ({
    namespace,
    name,
    dimensions,
    timestamp,
    unit,
    resolution: 60,
    measured,
  });
  const some = (name: string, unit: string, value: number): Sample[] => (value > 0 ? [sample(name, unit, value)] : []);
  return {
    sum: sample,
    /** Nothing for nothing, as ELB has it of most. */
    some,
    targets: (name: string, counted: readonly Counts[], end = '_Count'): Sample[] =>
      (['2XX', '3XX', '4XX', '5XX'] as const).flatMap((code, i) =>
        some(
          `${name}_${code}${end}`,
          'Count',
          total(counted, ({ codes }) => codes[i] ?? 0),
        ),
      ),
    times: (name: string, counted: readonly Counts[]): Sample[] => {
      const classes = noCounts.latency.classes.map((_, i) => total(counted, ({ latency }) => latency.classes[i] ?? 0));
      const measured = timesOf(
        classes,
        total(counted, ({ latency }) => latency.seconds),
      );
      return measured === undefined ? [] : [sample(name, 'Seconds', measured)];
    },
  };
}

/** Seconds that the class of the slowest answers is taken to reach to. */
const slowest = 60;

/**
 * Times as samples. Engines know their sum, and how many fell into which class: one value stands for each class, as far between its
 * bounds in all of them as makes the sum right. So the mean is exact, and percentiles are of the right class.
 * @returns undefined without any
 */
export function timesOf(
  classes: readonly number[],
  seconds: number,
): StatisticSet | { readonly values: number[]; readonly counts: number[] } | undefined {
  const seen = classes.flatMap((count, i) =>
    count > 0 ? [{ count, low: latencyBounds[i - 1] ?? 0, high: latencyBounds[i] ?? slowest }] : [],
  );
  if (seen.length === 0) return undefined;
  const lowest = total(seen, ({ count, low }) => count * low);
  const width = total(seen, ({ count, low, high }) => count * (high - low));
  const part = Math.min(1, Math.max(0, (seconds - lowest) / width));
  return { values: seen.map(({ low, high }) => low + part * (high - low)), counts: seen.map(({ count }) => count) };
}
