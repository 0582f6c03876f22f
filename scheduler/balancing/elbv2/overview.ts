import {
  type AccessRequest,
  AwsError,
  type Call,
  renderPlainError,
  type WebRoute,
  type WebService,
} from '@slipway/auth/contract';

import { type Codes, type Counts, noCodes, noCounts, quantile } from '../engines/index.ts';
import type { TrafficNumbers } from '../numbers/index.ts';
import {
  type ActionRecord,
  type Balancers,
  type Balancing,
  type ConditionRecord,
  type EngineRecord,
  type ListenerRecord,
  type LoadBalancerRecord,
  type TargetGroupRecord,
  type TargetRecord,
} from '../records/index.ts';

import { balancerArn } from './names.ts';
import type { Traffic } from './ports.ts';
import { stateOf } from './targets.ts';

/** What the routes of load balancers of our own work with. */
export interface OverviewPorts {
  readonly region: string;
  readonly balancers: Balancers;
  readonly traffic: Pick<Traffic, 'states'> & {
    /** Every engine that was heard of, with whether it answers. */
    engines(account: string): Promise<readonly (EngineRecord & { readonly isLive: boolean })[]>;
  };
  readonly numbers: Pick<TrafficNumbers, 'group' | 'balancers'>;
}

/** Reading of ELB is about everything. */
const may = (name: string): AccessRequest => ({ action: `elasticloadbalancing:${name}`, resources: [{ arn: '*' }] });

const prefix = '/slipway/load-balancers/';

/**
 * What ELB has no operation for: `GET /slipway/load-balancers/` lists the load balancers of the caller's account with their URLs, and
 * `GET /slipway/load-balancers/<name>` says everything about one: engines and what they have acknowledged, listeners, rules, targets and
 * numbers. Needs `elasticloadbalancing:DescribeLoadBalancers`, and for one also `DescribeTargetHealth`, which like all reading of ELB
 * are about everything (`*`). Requests are signed by SigV4 for `elasticloadbalancing`, without a body.
 */
export function createOverview(ports: OverviewPorts): WebService {
  return {
    name: 'load-balancers',
    prefix,
    authentication: { sigv4: 'elasticloadbalancing' },
    samples: [
      { method: 'GET', path: prefix },
      { method: 'GET', path: `${prefix}web` },
    ],
    route(method, path): WebRoute | undefined {
      const [, name] = /^\/slipway\/load-balancers\/([a-zA-Z0-9-]{0,32})$/.exec(path) ?? [];
      if (method !== 'GET' || name === undefined) return undefined;
      if (name === '')
        return {
          name: 'GET load balancers',
          access: () => [may('DescribeLoadBalancers')],
          handle: async (ctx, call) => {
            ctx.body = await list(ports, call);
          },
        };
      return {
        name: 'GET load balancer',
        access: () => [may('DescribeLoadBalancers'), may('DescribeTargetHealth')],
        handle: async (ctx, call) => {
          ctx.body = await show(ports, call, name);
        },
      };
    },
    renderError: renderPlainError,
  };
}

/** A load balancer in a list. */
export interface BalancerLine {
  readonly name: string;
  readonly arn: string;
  readonly type: string;
  readonly state: string;
  readonly reason?: string;
  readonly address: string;
  readonly dnsName: string;
  /** Of each listener. */
  readonly urls: readonly string[];
}

async function list(ports: OverviewPorts, { account }: Call): Promise<{ loadBalancers: readonly BalancerLine[] }> {
  const balancing = await ports.balancers.read(account);
  const states = await ports.traffic.states(account, balancing);
  const loadBalancers = balancing
    .all('loadbalancer')
    .map((balancer) => lineOf(ports, balancing, balancer, states(balancer)))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return { loadBalancers };
}

function lineOf(
  { region }: OverviewPorts,
  balancing: Balancing,
  balancer: LoadBalancerRecord,
  { code, reason }: { readonly code: string; readonly reason?: string },
): BalancerLine {
  return {
    name: balancer.name,
    arn: balancerArn({ region, account: balancing.account }, balancer),
    type: balancer.type,
    state: code,
    ...(reason === undefined ? {} : { reason }),
    address: balancer.address,
    dnsName: balancer.dnsName,
    urls: balancing.listenersOf(balancer.id).map((listener) => urlOf(balancer, listener)),
  };
}

const usualPorts: Readonly<Record<string, number>> = { HTTP: 80, HTTPS: 443 };

function urlOf({ dnsName }: LoadBalancerRecord, { protocol, port }: ListenerRecord): string {
  return `${protocol.toLowerCase()}://${dnsName}${usualPorts[protocol] === port ? '' : `:${port}`}`;
}

async function show(ports: OverviewPorts, { account }: Call, name: string) {
  const balancing = await ports.balancers.read(account);
  const balancer = balancing.named('loadbalancer', name);
  if (balancer === undefined)
    throw new AwsError(
      'LoadBalancerNotFound',
      `There is no load balancer ${name}: slipway lb list shows those that there are.`,
    );
  const states = await ports.traffic.states(account, balancing);
  const engines = await ports.traffic.engines(account);
  const own = ports.numbers.balancers().find(({ id }) => id === balancer.id);
  return {
    ...lineOf(ports, balancing, balancer, states(balancer)),
    generation: balancing.generation,
    engines: engines.map((engine) => engineLine(engine, balancing.generation)),
    answersOfEngines: codesOf(own?.engineCodes ?? noCodes),
    listeners: balancing.listenersOf(balancer.id).map((listener) => ({
      protocol: listener.protocol,
      port: listener.port,
      url: urlOf(balancer, listener),
      requests: own?.listeners.get(listener.id)?.requests ?? 0,
      connections: own?.listeners.get(listener.id)?.activeConnections ?? 0,
      notBound: engines.flatMap(({ id, isLive, unbound }) =>
        isLive && unbound[listener.id] !== undefined ? [{ engine: id, reason: unbound[listener.id] }] : [],
      ),
      rules: [
        ...balancing.rulesOf(listener.id).map(({ priority, conditions, action }) => ({
          priority: String(priority),
          conditions: conditions.map(conditionText),
          action: actionText(balancing, action),
        })),
        { priority: 'default', conditions: [], action: actionText(balancing, listener.defaultAction) },
      ],
    })),
    targetGroups: [...balancing.groupsOf(balancer.id)].flatMap((id) => {
      const group = balancing.get('targetgroup', id);
      return group === undefined ? [] : [groupLine(ports, balancing, group)];
    }),
  };
}

/** How an engine stands to what it is told. */
function engineLine(
  { id, kind, generation, oldestServing, seenAt, refused, isLive }: EngineRecord & { readonly isLive: boolean },
  wanted: number,
) {
  const behind = oldestServing < wanted ? 'behind' : 'current';
  return {
    id,
    kind,
    state: !isLive ? 'silent' : refused !== undefined ? 'refuses' : behind,
    generation,
    oldestServing,
    seenAt: new Date(seenAt).toISOString(),
    ...(refused === undefined ? {} : { reason: refused.reason }),
  };
}

function groupLine({ numbers }: OverviewPorts, balancing: Balancing, group: TargetGroupRecord) {
  const counted = numbers.group(group.id);
  return {
    name: group.name,
    protocol: group.protocol,
    port: group.port,
    ...countsOf(counted?.counts ?? noCounts),
    inFlight: counted?.inFlight ?? 0,
    lastMinute: { seconds: counted?.recent.seconds ?? 0, ...countsOf(counted?.recent.counts ?? noCounts) },
    targets: balancing.targetsOf(group.id).map((target) => targetLine(balancing, group, target, counted)),
  };
}

function targetLine(
  balancing: Balancing,
  group: TargetGroupRecord,
  target: TargetRecord,
  counted: ReturnType<TrafficNumbers['group']>,
) {
  const { State, Reason, Description } = stateOf(balancing, group, target);
  const own = counted?.targets.get(target.id);
  return {
    target: target.targetId,
    address: `${target.address}:${target.port}`,
    ...(target.task === undefined ? {} : { task: `${target.task.cluster}/${target.task.id}` }),
    state: State,
    ...(Reason === undefined ? {} : { reason: Reason }),
    ...(Description === undefined ? {} : { description: Description }),
    inFlight: own?.inFlight ?? 0,
    ...countsOf(own?.counts ?? noCounts),
  };
}

function countsOf({ requests, codes, connectionErrors, latency }: Counts) {
  const seconds = (share: number) => {
    const found = quantile(latency, share);
    // JSON has no infinity.
    return found === undefined ? null : Number.isFinite(found) ? found : 'above';
  };
  return {
    requests,
    answers: codesOf(codes),
    connectionErrors,
    secondsToAnswer: { p50: seconds(0.5), p99: seconds(0.99) },
  };
}

const codesOf = (codes: Codes) => ({ '2xx': codes[0], '3xx': codes[1], '4xx': codes[2], '5xx': codes[3] });

function conditionText(condition: ConditionRecord): string {
  const of = (values: readonly string[]): string => values.join(' or ');
  switch (condition.field) {
    case 'host-header':
    case 'path-pattern':
      return `${condition.field} ${of([...condition.values, ...condition.regexValues.map((one) => `/${one}/`)])}`;
    case 'http-header':
      return `header ${condition.name} ${of([...condition.values, ...condition.regexValues.map((one) => `/${one}/`)])}`;
    case 'query-string':
      return `query ${of(condition.pairs.map(({ key, value }) => (key === undefined ? value : `${key}=${value}`)))}`;
    case 'http-request-method':
    case 'source-ip':
      return `${condition.field} ${of(condition.values)}`;
  }
}

function actionText(balancing: Balancing, action: ActionRecord): string {
  switch (action.type) {
    case 'forward': {
      const name = (id: string): string => balancing.get('targetgroup', id)?.name ?? id;
      const [only, ...others] = action.targetGroups;
      if (only !== undefined && others.length === 0) return `to ${name(only.id)}`;
      return `to ${action.targetGroups.map(({ id, weight }) => `${name(id)} (${weight})`).join(', ')}`;
    }
    case 'redirect':
      return `${action.status} to ${action.protocol}://${action.host}:${action.port}${action.path}`;
    case 'fixed-response':
      return `answers ${action.status}`;
  }
}
