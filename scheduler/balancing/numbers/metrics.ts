import type { PartGauge, PartHistogram } from '@slipway/auth/contract';

import { addCodes, addCounts, latencyBounds, noCodes, noCounts } from '../engines/index.ts';

import type { BalancerNumbers, GroupNumbers, TrafficNumbers } from './numbers.ts';

/** Groups and load balancers with lines of their own, so that a scrape stays small; those beyond are added up as `others`. */
const shown = 100;
const others = 'others';

const codeClasses = ['2xx', '3xx', '4xx', '5xx'] as const;

/**
 * What load balancers carry, for Prometheus: by target group and load balancer, never by target, whose names come and go with every
 * deployment. A scrape reads no store.
 */
export function balancingMetrics(
  numbers: Pick<TrafficNumbers, 'groups' | 'balancers'>,
): readonly (PartGauge | PartHistogram)[] {
  const labels = ['load_balancer', 'target_group'] as const;
  const perGroup = (
    name: string,
    help: string,
    kind: 'gauge' | 'counter',
    of: (group: GroupNumbers) => number,
  ): PartGauge => ({
    name,
    help,
    kind,
    labels,
    across: 'one',
    read: async () => groupLines(numbers).map((group) => ({ labels: labelsOf(group), value: of(group) })),
  });
  return [
    perGroup('slipway_balancing_requests_total', 'Requests and connections sent to targets', 'counter', (group) => {
      return group.counts.requests;
    }),
    {
      name: 'slipway_balancing_target_answers_total',
      help: 'Answers of targets, by their first digit',
      kind: 'counter',
      labels: [...labels, 'code'],
      across: 'one',
      read: async () =>
        groupLines(numbers).flatMap((group) =>
          codeClasses.map((code, i) => ({ labels: { ...labelsOf(group), code }, value: group.counts.codes[i] ?? 0 })),
        ),
    },
    {
      name: 'slipway_balancing_engine_answers_total',
      help: 'Answers that traffic engines made themselves, by their first digit',
      kind: 'counter',
      labels: ['load_balancer', 'code'],
      across: 'one',
      read: async () =>
        balancerLines(numbers).flatMap(({ name, engineCodes }) =>
          codeClasses.map((code, i) => ({ labels: { load_balancer: name, code }, value: engineCodes[i] ?? 0 })),
        ),
    },
    perGroup(
      'slipway_balancing_connection_errors_total',
      'Attempts to reach a target that failed',
      'counter',
      (group) => group.counts.connectionErrors,
    ),
    perGroup('slipway_balancing_received_bytes_total', 'Bytes from clients to targets', 'counter', (group) => {
      return group.counts.bytesIn;
    }),
    perGroup('slipway_balancing_sent_bytes_total', 'Bytes from targets to clients', 'counter', (group) => {
      return group.counts.bytesOut;
    }),
    perGroup(
      'slipway_balancing_in_flight',
      'Requests without their whole answer, and connections, by what engines said last',
      'gauge',
      (group) => group.inFlight,
    ),
    {
      name: 'slipway_balancing_target_seconds',
      help: "From a request to the head of its target's answer",
      labels,
      across: 'one',
      bounds: latencyBounds,
      read: async () =>
        groupLines(numbers).map((group) => ({
          labels: labelsOf(group),
          classes: group.counts.latency.classes,
          sum: group.counts.latency.seconds,
        })),
    },
  ];
}

const labelsOf = ({ loadBalancer, name }: GroupNumbers): Readonly<Record<string, string>> => ({
  load_balancer: loadBalancer,
  target_group: name,
});

/** Each group by itself, the first by name, and the rest together. */
function groupLines(numbers: Pick<TrafficNumbers, 'groups'>): readonly GroupNumbers[] {
  const all = numbers.groups();
  if (all.length <= shown) return all;
  const rest = all.slice(shown);
  return [
    ...all.slice(0, shown),
    {
      id: '',
      name: others,
      loadBalancer: '',
      inFlight: rest.reduce((sum, { inFlight }) => sum + inFlight, 0),
      counts: rest.reduce((sum, { counts }) => addCounts(sum, counts), noCounts),
      recent: { seconds: 0, counts: noCounts },
      targets: new Map(),
    },
  ];
}

function balancerLines(numbers: Pick<TrafficNumbers, 'balancers'>): readonly BalancerNumbers[] {
  const all = numbers.balancers();
  if (all.length <= shown) return all;
  const engineCodes = all.slice(shown).reduce((sum, one) => addCodes(sum, one.engineCodes), noCodes);
  return [...all.slice(0, shown), { id: '', name: others, engineCodes, listeners: new Map() }];
}
