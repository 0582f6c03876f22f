import { CliError } from '../../cli/errors.ts';
import { zoneAttribute } from '../capacity.ts';
import { account } from '../world/server.ts';
import { push } from '../world/push.ts';
import { type Behaviour, good } from '../world/images.ts';
import type { Installation } from './installation.ts';
import type { Snapshot } from './snapshot.ts';

export const scenarios = {
  'zone-lost': 'every host of an availability zone loses its power, and comes back after a while',
  'host-lost': 'one host loses its power, and comes back after a while',
  'drain-host': 'one host is set to DRAINING',
  'bad-push': 'somebody pushes an image that does not work, and the service rolls to it',
  'redis-gone': 'the record store answers nobody for a while',
} as const;

export type ScenarioName = keyof typeof scenarios;

/** How an image of a bad push is bad. */
export const badImages: Readonly<Record<string, Behaviour>> = {
  exits: { ...good, ends: { after: 500, code: 1 } },
  unhealthy: { ...good, healthy: 'never' },
  leaks: { ...good, ends: { after: 60_000, code: 137, outOfMemory: true } },
  missing: { ...good, fails: 'pull' },
};

/** What a person may choose of a scenario; the rest is chosen from the snapshot. */
export interface ScenarioChoice {
  readonly scenario: string;
  readonly zone?: string;
  /** Id of a container instance. */
  readonly host?: string;
  readonly service?: string;
  /** A name of {@link badImages}. */
  readonly image?: string;
  /** Milliseconds until a lost thing is back. */
  readonly lasts?: number;
}

/** A scenario with everything chosen. */
export interface Scenario {
  readonly name: ScenarioName;
  /** What is done, in words, e.g. `zone a is lost: 3 hosts with 12 tasks`. */
  readonly what: string;
  /** Milliseconds until {@link end}; 0 when nothing is mended. */
  readonly lasts: number;
  begin(installation: Installation): Promise<void>;
  end(installation: Installation): void;
}

const minute = 60_000;

/** @throws CliError (exit code 2) for what the snapshot does not have */
export function chooseScenario(snapshot: Snapshot, choice: ScenarioChoice): Scenario {
  const { scenario, lasts } = choice;
  switch (scenario) {
    case 'zone-lost': {
      const zone = chooseZone(snapshot, choice.zone);
      const ids = snapshot.instances.flatMap(({ id, attributes }) => (attributes[zoneAttribute] === zone ? id : []));
      return lost(scenario, `zone ${zone} is lost: ${counted(snapshot, ids)}`, ids, lasts);
    }
    case 'host-lost': {
      const id = chooseHost(snapshot, choice.host);
      return lost(scenario, `host ${id} is lost: ${counted(snapshot, [id])}`, [id], lasts);
    }
    case 'drain-host': {
      const id = chooseHost(snapshot, choice.host);
      const begin = async (installation: Installation): Promise<void> => {
        await installation.call('UpdateContainerInstancesState', { containerInstances: [id], status: 'DRAINING' });
      };
      return {
        name: scenario,
        what: `host ${id} is drained: ${counted(snapshot, [id])}`,
        lasts: 0,
        begin,
        end: nothing,
      };
    }
    case 'bad-push':
      return badPush(snapshot, choice);
    case 'redis-gone': {
      const machines = (installation: Installation) => installation.servers.map(({ machine }) => machine);
      return {
        name: scenario,
        what: 'the record store answers nobody',
        lasts: lasts ?? minute,
        begin: (installation) => Promise.resolve(installation.store.stop(machines(installation))),
        end: (installation) => installation.store.start(machines(installation)),
      };
    }
    default:
      throw new CliError(`there is no scenario '${scenario}'; there are ${Object.keys(scenarios).join(', ')}`, 2);
  }
}

const nothing = (): void => {};

function lost(name: ScenarioName, what: string, ids: readonly string[], lasts = 15 * minute): Scenario {
  const each = (installation: Installation, change: 'off' | 'on'): void => {
    for (const id of ids) installation.hosts.get(id)?.[change]();
  };
  return {
    name,
    what,
    lasts,
    begin: (installation) => Promise.resolve(each(installation, 'off')),
    end: (installation) => each(installation, 'on'),
  };
}

function badPush(snapshot: Snapshot, { service: asked, image = 'exits' }: ScenarioChoice): Scenario {
  const behaviour = Object.hasOwn(badImages, image) ? badImages[image] : undefined;
  if (behaviour === undefined)
    throw new CliError(`there is no bad image '${image}'; there are ${Object.keys(badImages).join(', ')}`, 2);
  const name = chooseService(snapshot, asked);
  const service = snapshot.services.find((one) => one.name === name)!;
  const definition = snapshot.definitions.find((one) => one.name === service.definition)!;
  const container = definition.containers.find(({ essential }) => essential) ?? definition.containers[0]!;
  if (image === 'unhealthy' && container.healthCheck === undefined)
    throw new CliError(
      `the container ${container.name} of ${name} has no health check: nobody would notice; try another --image`,
      2,
    );
  const follows = service.follow !== undefined && service.follow !== 'false';
  return {
    name: 'bad-push',
    what: `an image that ${words[image]} is pushed for ${name}${follows ? ', which follows it' : ', and the service is updated'}`,
    lasts: 0,
    begin: async (installation) => {
      const { repository, tag } = installation.imageOf(container.image);
      const digest = installation.images.build(behaviour);
      installation.images.tag(repository, tag, digest);
      await push(installation.store.truth, { account, repository, tag, digest, announced: true });
      if (!follows) await installation.call('UpdateService', { service: name, forceNewDeployment: true });
    },
    end: nothing,
  };
}

const words: Readonly<Record<string, string>> = {
  exits: 'ends at once',
  unhealthy: 'never gets healthy',
  leaks: 'runs out of memory after a minute',
  missing: 'cannot be pulled',
};

/** How many tasks lie on instances, and how many of those there are. */
function counted({ tasks }: Snapshot, ids: readonly string[]): string {
  const there = new Set(ids);
  const count = tasks.filter(({ instance }) => there.has(instance)).length;
  return `${ids.length} ${ids.length === 1 ? 'host' : 'hosts'} with ${count} ${count === 1 ? 'task' : 'tasks'}`;
}

function chooseZone(snapshot: Snapshot, asked: string | undefined): string {
  const zoneOf = new Map(snapshot.instances.map(({ id, attributes }) => [id, attributes[zoneAttribute] ?? '']));
  return choose(
    'zone',
    asked,
    [...zoneOf.values()].filter((zone) => zone !== ''),
    snapshot.tasks.map(({ instance }) => zoneOf.get(instance)),
  );
}

const chooseHost = (snapshot: Snapshot, asked: string | undefined): string =>
  choose(
    'host',
    asked,
    snapshot.instances.map(({ id }) => id),
    snapshot.tasks.map(({ instance }) => instance),
  );

const chooseService = (snapshot: Snapshot, asked: string | undefined): string =>
  choose(
    'service',
    asked,
    snapshot.services.map(({ name }) => name),
    snapshot.tasks.map(({ service }) => service),
  );

/** The one that was asked for, or the one that occurs most often. */
function choose(
  what: string,
  asked: string | undefined,
  all: readonly string[],
  uses: readonly (string | undefined)[],
): string {
  const counts = new Map(all.map((one) => [one, 0]));
  if (counts.size === 0) throw new CliError(`the snapshot has no ${what}`, 2);
  if (asked !== undefined) {
    if (counts.has(asked)) return asked;
    throw new CliError(`the snapshot has no ${what} '${asked}'; it has ${shortList([...counts.keys()])}`, 2);
  }
  for (const use of uses) if (use !== undefined && counts.has(use)) counts.set(use, counts.get(use)! + 1);
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}

const shortList = (names: readonly string[]): string =>
  names.length > 10 ? `${names.slice(0, 10).join(', ')} and ${names.length - 10} more` : names.join(', ');
