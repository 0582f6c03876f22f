import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { ECRClient, paginateDescribeImages, paginateDescribeRepositories } from '@aws-sdk/client-ecr';
import { type ECSClient, type Service, type ServiceDeploymentBrief } from '@aws-sdk/client-ecs';
import { activeService, clientSettings, ecsClient, parseService } from './aws-client.ts';
import { instancesIn, servicesIn, tasksIn } from './contents.ts';
import { remembered } from './service-deployments.ts';
import { CliError } from './errors.ts';
import { eventOfHost, eventsOfImage, eventsOfService, eventsOfTask, inOrder, type Told } from './event-shapes.ts';
import { parseSince } from './logs.ts';
import { Outages } from './outages.ts';
import { harmless, note, parseOutput, print } from './output.ts';
import { ServerClock } from './server-clock.ts';

export interface EventsOptions {
  readonly cluster: string;
  readonly follow?: true;
  readonly since: string;
  readonly output: string;
}

/** Services and repositories that are looked at; each is a call or more, each time. */
const most = 100;
/** Milliseconds between looks. */
const pace = 2000;

/** `slipway events`: what happened to services, tasks, hosts and images of a cluster, or to one service, in the order of time. */
export async function events(name: string | undefined, options: EventsOptions): Promise<void> {
  const output = parseOutput(options.output);
  parseSince(options.since, Date.now());
  const named = name === undefined ? undefined : parseService(name);
  const watch = new Watch(named?.cluster ?? options.cluster, named?.service);
  const first = await watch.look();
  const follow = new Follow(parseSince(options.since, watch.clock.now()));
  const tell = (seen: readonly Told[]): void => {
    for (const told of follow.news(seen)) print(output === 'json' ? JSON.stringify(told.event) : line(told));
  };
  tell(first);
  if (!options.follow) return;
  const outages = new Outages();
  for (;;) {
    await sleep(pace);
    try {
      tell(await watch.look());
      outages.over();
    } catch (error) {
      // Whatever it is: what was removed between two calls is an error of this look alone.
      outages.failed(error);
    }
  }
}

/** Tells each event once. */
export class Follow {
  readonly #since: number;
  #seen: ReadonlySet<string> = new Set();

  /** @param since milliseconds since the epoch */
  constructor(since: number) {
    this.#since = since;
  }

  /** What of all that is there was not told yet. */
  news(events: readonly Told[]): readonly Told[] {
    const found = events.filter(({ at }) => at >= this.#since);
    const fresh = found.filter(({ event }) => !this.#seen.has(event.id));
    this.#seen = new Set(found.map(({ event }) => event.id));
    return inOrder(fresh);
  }
}

function line({ at, level, subject, words }: Told): string {
  const head = `${new Date(at).toISOString()}  ${level.padEnd(5)}  ${harmless(subject)}`;
  const shown = level === 'INFO' ? head : styleText(level === 'ERROR' ? 'red' : 'yellow', head);
  return `${shown}  ${harmless(words).replaceAll('\n', ' ')}`;
}

/** Looks at everything that events are read from. What the caller may not see is left out, and said once. */
class Watch {
  readonly #cluster: string;
  readonly #service: string | undefined;
  readonly #ecs = ecsClient();
  readonly clock = new ServerClock(this.#ecs);
  readonly #settings = clientSettings();
  readonly #ecr = new ECRClient(this.#settings);
  readonly #refused = new Set<string>();
  readonly #deployments = new Map<string, { readonly key: string; readonly all: readonly ServiceDeploymentBrief[] }>();
  /** How hosts stood when they were seen first, or last changed. */
  readonly #hosts = new Map<string, Told>();
  #looked = false;

  constructor(cluster: string, service: string | undefined) {
    this.#cluster = cluster;
    this.#service = service;
  }

  async look(): Promise<readonly Told[]> {
    const about = await Promise.all([
      this.#ofServices(),
      this.#may('tasks', () => this.#ofTasks()),
      ...(this.#service === undefined
        ? [this.#may('hosts', () => this.#ofHosts()), this.#may('images', () => this.#ofImages())]
        : []),
    ]);
    this.#looked = true;
    return about.flat();
  }

  async #may(what: string, look: () => Promise<readonly Told[]>): Promise<readonly Told[]> {
    if (this.#refused.has(what)) return [];
    try {
      return await look();
    } catch (error) {
      if (!(error as Error).name.startsWith('AccessDenied')) throw error;
      this.#refused.add(what);
      note(`no events of ${what}: ${(error as Error).message}`);
      return [];
    }
  }

  async #ofServices(): Promise<readonly Told[]> {
    const services =
      this.#service === undefined
        ? await allServices(this.#ecs, this.#cluster)
        : [await activeService(this.#ecs, this.#cluster, this.#service)];
    const told = await Promise.all(services.map(async (one) => eventsOfService(one, await this.#deploymentsOf(one))));
    return told.flat();
  }

  /** Deployments are asked for again only when the service shows others than before. */
  async #deploymentsOf({
    serviceName = '',
    deployments,
    currentServiceDeployment,
  }: Service): Promise<readonly ServiceDeploymentBrief[]> {
    const states = deployments?.map(({ id, status, rolloutState }) => [id, status, rolloutState]);
    const key = JSON.stringify([currentServiceDeployment, states]);
    const known = this.#deployments.get(serviceName);
    // One that is under way ends without another sign.
    if (known?.key === key && known.all.every(({ finishedAt }) => finishedAt !== undefined)) return known.all;
    const all: ServiceDeploymentBrief[] = [];
    for await (const one of remembered(this.#ecs, this.#cluster, serviceName)) if (all.push(one) >= most) break;
    this.#deployments.set(serviceName, { key, all });
    return all;
  }

  async #ofTasks(): Promise<readonly Told[]> {
    const of = ['RUNNING', 'STOPPED'] as const;
    const { found } = await tasksIn(this.#ecs, this.#cluster, { service: this.#service, of });
    return found.flatMap(eventsOfTask);
  }

  async #ofHosts(): Promise<readonly Told[]> {
    for (const host of await instancesIn(this.#ecs, this.#cluster)) {
      const { containerInstanceArn = '' } = host;
      const now = eventOfHost(host, this.#looked ? new Date() : (host.registeredAt ?? new Date()));
      if (this.#hosts.get(containerInstanceArn)?.words !== now.words) this.#hosts.set(containerInstanceArn, now);
    }
    return [...this.#hosts.values()];
  }

  async #ofImages(): Promise<readonly Told[]> {
    const told: Told[] = [];
    let count = 0;
    for await (const { repositories = [] } of paginateDescribeRepositories({ client: this.#ecr }, {}))
      for (const { repositoryName = '' } of repositories) {
        count += 1;
        if (count > most) return told;
        for await (const { imageDetails = [] } of paginateDescribeImages({ client: this.#ecr }, { repositoryName }))
          told.push(...imageDetails.flatMap((image) => eventsOfImage(image, this.#settings.region)));
      }
    return told;
  }
}

async function allServices(client: ECSClient, cluster: string): Promise<readonly Service[]> {
  const { found, left } = await servicesIn(client, cluster, { most });
  if (left > 0)
    throw new CliError(`the cluster ${cluster} has more than ${most} services: name one, as <cluster>/<service>`);
  return found;
}
