import { hostname } from 'node:os';
import { resolve } from 'node:path';
import {
  type BalancerOptions,
  BalancerRefused,
  joinBalancing,
  leaveBalancing,
  namePattern,
} from '@slipway/scheduler/balancing/remote';
import { systemClock } from '@slipway/storage/clock';
import { openLog } from '../server/log.ts';
import { trafficEngines } from '../server/traffic-engines.ts';
import { credentialsOf, endpointOf, stateFolder } from './agent-settings.ts';
import { CliError } from './errors.ts';

/** The options of `slipway balancer`. */
export interface BalancerFlags {
  readonly name?: string;
  readonly endpoint?: string;
  readonly engine: string;
  readonly data?: string;
  readonly leave?: true;
}

const kinds = ['auto', 'haproxy', 'embedded'] as const;
/** Milliseconds that leaving may take. */
const patience = 30_000;

/**
 * `slipway balancer`: carries the traffic of load balancers on this host until SIGTERM or Ctrl-C. The engine carries on after it, with what
 * it was told last, and is found again by the next one: `--leave` ends it.
 */
export async function balancer(flags: BalancerFlags): Promise<void> {
  const settings = settingsOf(flags, process.env);
  const [local] = trafficEngines({ data: settings.data, loadBalancing: { engine: settings.engine } });
  if (local === undefined) throw new Error('an engine was asked for, and there is none');
  const log = openLog(process.env['SLIPWAY_LOG'] ?? 'info');
  const over = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => over.abort());
  const options: BalancerOptions = { ...settings, kind: local.kind, open: local.open, clock: systemClock, log };
  try {
    if (flags.leave) await leave(options, AbortSignal.any([over.signal, AbortSignal.timeout(patience)]));
    else await joinBalancing(options, over.signal);
  } catch (error) {
    if (error instanceof BalancerRefused) throw new CliError(error.message);
    throw error;
  }
  process.exit(0);
}

async function leave(options: BalancerOptions, signal: AbortSignal): Promise<void> {
  try {
    await leaveBalancing(options, signal);
  } catch (error) {
    if (error instanceof BalancerRefused) throw error;
    throw new CliError(
      `the engine has ended, and ${options.server} was not told: ${(error as Error).message}. Until it is, drains wait for this host; run it again`,
    );
  }
}

type Settings = Pick<BalancerOptions, 'server' | 'region' | 'credentials' | 'name'> & {
  readonly engine: (typeof kinds)[number];
  readonly data: string;
};

/** @throws CliError that names the variable or option that makes no sense */
export function settingsOf(
  flags: BalancerFlags,
  environment: Readonly<Record<string, string | undefined>>,
  ownName = hostname(),
): Settings {
  const engine = kinds.find((kind) => kind === flags.engine);
  if (engine === undefined) throw new CliError(`--engine ${flags.engine}: name one of ${kinds.join(', ')}`, 2);
  const name = flags.name ?? ownName;
  if (!namePattern.test(name))
    throw new CliError(
      `${flags.name === undefined ? `the host name ${name} cannot be the name` : `--name ${name}`}: name it by letters, digits, dots and hyphens, at most 63`,
      2,
    );
  return {
    server: endpointOf(flags.endpoint, environment, {}),
    region: environment['AWS_REGION'] || environment['AWS_DEFAULT_REGION'] || 'us-east-1',
    credentials: credentialsOf(environment, `slipway:CarryTraffic on arn:aws:elasticloadbalancing:*:*:engine/${name}`),
    name,
    engine,
    data: flags.data === undefined ? stateFolder(environment, 'balancer') : resolve(flags.data),
  };
}
