import { CliError } from './errors.ts';
import { parseOutput, print, printJson, table } from './output.ts';
import { askServer } from './own-routes.ts';

/** A load balancer as the server lists it. */
export interface Balancer {
  readonly name: string;
  readonly type: string;
  readonly state: string;
  readonly reason?: string;
  readonly address: string;
  readonly dnsName: string;
  readonly urls: readonly string[];
}

interface Counted {
  readonly requests: number;
  readonly answers: Answers;
  readonly connectionErrors: number;
  readonly secondsToAnswer: { readonly p50: Seconds; readonly p99: Seconds };
}

type Answers = Readonly<Record<'2xx' | '3xx' | '4xx' | '5xx', number>>;
/** Upper bound of the class that it falls into; `above` all bounds; null without answers. */
type Seconds = number | 'above' | null;

interface Target extends Counted {
  readonly target: string;
  readonly address: string;
  readonly task?: string;
  readonly state: string;
  readonly reason?: string;
  readonly description?: string;
  readonly inFlight: number;
}

/** A load balancer as the server shows it. */
export interface BalancerDetails extends Balancer {
  readonly generation: number;
  readonly engines: readonly {
    readonly id: string;
    readonly kind: string;
    readonly state: 'current' | 'behind' | 'refuses' | 'silent';
    readonly generation: number;
    readonly oldestServing: number;
    readonly seenAt: string;
    readonly reason?: string;
  }[];
  readonly answersOfEngines: Answers;
  readonly listeners: readonly {
    readonly protocol: string;
    readonly port: number;
    readonly url: string;
    readonly requests: number;
    readonly connections: number;
    readonly notBound: readonly { readonly engine: string; readonly reason: string }[];
    readonly rules: readonly {
      readonly priority: string;
      readonly conditions: readonly string[];
      readonly action: string;
    }[];
  }[];
  readonly targetGroups: readonly (Counted & {
    readonly name: string;
    readonly protocol: string;
    readonly inFlight: number;
    readonly lastMinute: Counted & { readonly seconds: number };
    readonly targets: readonly Target[];
  })[];
}

const service = 'elasticloadbalancing';

/** The load balancers of the account. */
export async function balancers(data?: string): Promise<readonly Balancer[]> {
  const options = { service, ...(data === undefined ? {} : { data }) };
  const { loadBalancers } = (await askServer('GET', '/slipway/load-balancers/', options)) as {
    loadBalancers: readonly Balancer[];
  };
  return loadBalancers;
}

/** Everything about one. @throws CliError when there is none of that name */
export async function balancerDetails(name: string, data?: string): Promise<BalancerDetails> {
  if (!/^[a-zA-Z0-9-]{1,32}$/.test(name)) throw new CliError(`'${name}' is no name of a load balancer`, 2);
  const options = { service, ...(data === undefined ? {} : { data }) };
  return (await askServer('GET', `/slipway/load-balancers/${name}`, options)) as BalancerDetails;
}

/** `slipway lb list`. */
export async function listBalancers(options: { readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const found = await balancers();
  if (output === 'json') return printJson(found);
  if (found.length === 0) return print('no load balancers; slipway expose <cluster/service> makes one for a service');
  const rows = found.map(({ name, type, state, address, urls }) => [name, type, state, address, urls.join(' ')]);
  print(table(['NAME', 'TYPE', 'STATE', 'ADDRESS', 'URL'], rows));
  for (const { name, reason } of found) if (reason !== undefined) print(`  ${name}: ${reason}`);
}

/** `slipway lb show NAME`. */
export async function showBalancer(name: string, options: { readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const found = await balancerDetails(name);
  if (output === 'json') return printJson(found);
  print(`${found.name}: ${found.type}, ${found.state}, ${found.address}, ${found.dnsName}`);
  for (const fault of faults(found)) print(`  ${fault}`);
  print();
  print(
    table(
      ['ENGINE', 'KIND', 'STATE', 'SERVES', 'OLDEST', 'WANTED', 'LAST HEARD OF'],
      found.engines.map(({ id, kind, state, generation, oldestServing, seenAt }) => [
        id,
        kind,
        state,
        String(generation),
        String(oldestServing),
        String(found.generation),
        seenAt,
      ]),
    ),
  );
  print(`  answers of engines: ${answersText(found.answersOfEngines)}`);
  for (const { url, requests, connections, rules } of found.listeners) {
    print();
    print(`${url}  ${requests} requests, ${connections} connections open`);
    const rows = rules.map(({ priority, conditions, action }) => [priority, conditions.join(' and '), action]);
    print(indented(table(['PRIORITY', 'IF', 'ACTION'], rows)));
  }
  for (const group of found.targetGroups) {
    print();
    const { lastMinute } = group;
    const rate = lastMinute.seconds === 0 ? '0' : (lastMinute.requests / lastMinute.seconds).toFixed(1);
    print(`${group.name} (${group.protocol})  ${countsText(group)}, ${group.inFlight} in flight; now ${rate}/s`);
    const rows = group.targets.map((target) => [
      target.address,
      target.task ?? target.target,
      target.state,
      String(target.requests),
      answersText(target.answers),
      String(target.connectionErrors),
      String(target.inFlight),
      secondsText(target.secondsToAnswer.p50),
      secondsText(target.secondsToAnswer.p99),
      [target.reason, target.description].filter((text) => text !== undefined).join(': '),
    ]);
    const titles = [
      'ADDRESS',
      'TARGET',
      'STATE',
      'REQUESTS',
      'ANSWERS',
      'UNREACHED',
      'IN FLIGHT',
      'P50',
      'P99',
      'REASON',
    ];
    print(indented(table(titles, rows)));
  }
}

/** What is wrong with a load balancer, and what to do about it: a sentence each. */
export function faults({ reason, generation, engines, listeners }: BalancerDetails): readonly string[] {
  const bindings = listeners.flatMap(({ port, notBound }) =>
    notBound.map((one) => `port ${port} is not served by ${one.engine}: ${one.reason}`),
  );
  return [
    ...(reason === undefined || bindings.some((one) => reason.includes(one)) ? [] : [reason]),
    ...bindings,
    ...engines.flatMap((engine) => {
      switch (engine.state) {
        case 'current':
          return [];
        case 'refuses':
          return [`the engine ${engine.id} refuses what it is told: ${engine.reason ?? 'see the log of its server'}`];
        case 'behind':
          return [
            `the engine ${engine.id} has not acknowledged generation ${generation}: it serves ${engine.generation}, and a process of it may route by ${engine.oldestServing} until its last request ends`,
          ];
        case 'silent':
          return [
            `the engine ${engine.id} was last heard of ${engine.seenAt}: it carries on with generation ${engine.generation} if its host lives; start the server or slipway balancer there again`,
          ];
      }
    }),
  ];
}

const indented = (text: string): string => text.replaceAll(/^/gm, '  ');

const countsText = ({ requests, answers, connectionErrors, secondsToAnswer }: Counted): string =>
  `${requests} requests (${answersText(answers)}), ${connectionErrors} times not reached, p50 ${secondsText(secondsToAnswer.p50)}, p99 ${secondsText(secondsToAnswer.p99)}`;

const answersText = (answers: Answers): string =>
  Object.entries(answers)
    .filter(([, count]) => count > 0)
    .map(([code, count]) => `${code} ${count}`)
    .join(', ') || 'none';

const secondsText = (seconds: Seconds): string =>
  seconds === null ? '-' : seconds === 'above' ? '>10 s' : seconds < 1 ? `≤${seconds * 1000} ms` : `≤${seconds} s`;
