import { Installation } from './rehearsal/installation.ts';
import type { Snapshot } from './rehearsal/snapshot.ts';
import type { Size } from './scale/large-cluster.ts';
import { type Measured, measureScale } from './scale/measure.ts';
import { good } from './world/images.ts';
import { drawPlan } from './world/plan.ts';
import { push } from './world/push.ts';
import { account } from './world/server.ts';
import { settle } from './world/settle.ts';
import { World } from './world/world.ts';

/** How much of the simulation is measured. */
export interface SpeedSize {
  readonly seeds: number;
  readonly days: number;
  readonly clusters: readonly Size[];
}

/** What was measured, as numbers. */
export interface SimulationFigures {
  /** Seeds of bad days that one core plays in a minute. */
  readonly seedsPerMinute: number;
  /** Virtual time of those, for each second of the processor. */
  readonly virtualPerSecond: number;
  /** Milliseconds of the processor for half an hour of 3 servers, 20 hosts and 200 tasks, one service of which is rolled. */
  readonly halfHour: number;
  readonly clusters: readonly Measured[];
}

function spent(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Runs every measurement; times are processor time of this thread. */
export async function measureSimulation(size: SpeedSize): Promise<SimulationFigures> {
  // The first seeds are played by code that is not compiled yet.
  for (let seed = 1; seed <= Math.min(20, size.seeds); seed++) await new World(drawPlan(seed), false).play();
  const from = spent();
  let played = 0;
  for (let seed = 1; seed <= size.seeds; seed++) played += (await new World(drawPlan(seed), false).play()).played;
  const took = spent() - from;
  const days: number[] = [];
  for (let day = 0; day <= size.days; day++) days.push(await halfHour());
  const clusters: Measured[] = [];
  for (const cluster of size.clusters) clusters.push(await measureScale(cluster));
  return {
    seedsPerMinute: (size.seeds / took) * 60_000,
    virtualPerSecond: played / took,
    halfHour: days.slice(1).sort((a, b) => a - b)[Math.floor(size.days / 2)] ?? Number.NaN,
    clusters,
  };
}

/** Ten services of twenty tasks on twenty hosts, each following a tag of its own. */
function dayOfWork(): Snapshot {
  const service = {
    strategy: 'REPLICA' as const,
    minimumHealthyPercent: 100,
    maximumPercent: 200,
    constraints: [],
    placement: [],
  };
  const names = Array.from({ length: 10 }, (_, index) => `service-${index}`);
  const hosts = Array.from({ length: 20 }, (_, index) => `host-${index}`);
  return {
    format: 'slipway cluster snapshot',
    version: 1,
    takenAt: '2024-01-01T00:00:00Z',
    cluster: 'default',
    instances: hosts.map((id, index) => ({
      id,
      status: 'ACTIVE',
      agentConnected: true,
      cpu: 4_096,
      memory: 8_192,
      attributes: { 'ecs.availability-zone': `zone-${index % 3}` },
    })),
    definitions: names.map((name) => ({
      name: `${name}:1`,
      networkMode: 'bridge',
      constraints: [],
      requires: [],
      containers: [
        {
          name: 'app',
          image: `registry.test/${name}:prod`,
          essential: true,
          cpu: 128,
          memory: 128,
          ports: [],
          dependsOn: [],
          healthCheck: { interval: 5, timeout: 2, retries: 2 },
        },
      ],
    })),
    services: names.map((name) => ({ ...service, name, definition: `${name}:1`, desiredCount: 20, follow: 'true' })),
    tasks: names.flatMap((name) =>
      hosts.map((instance) => ({ id: `${name}-${instance}`, instance, definition: `${name}:1`, service: name })),
    ),
  };
}

/** Plays half an hour, in which a new image rolls one service. @returns processor time, milliseconds */
async function halfHour(): Promise<number> {
  const from = spent();
  const installation = new Installation(dayOfWork(), { servers: 3, seed: 1 });
  const { time, images, store } = installation;
  await installation.begin();
  await time.playUntil(time.now() + 10 * 60_000, settle);
  const image = { repository: 'service-0', tag: 'prod', digest: images.build(good) };
  images.tag(image.repository, image.tag, image.digest);
  await push(store.truth, { account, ...image, announced: true });
  await time.playUntil(time.now() + 20 * 60_000, settle);
  const took = spent() - from;
  installation.end();
  await settle();
  const { mirror } = installation;
  const rolled = mirror
    .tasksOf('service-0')
    .filter(({ desiredStatus, lastStatus }) => desiredStatus === 'RUNNING' && lastStatus === 'RUNNING');
  if (mirror.services.size !== 10 || rolled.length !== 20) throw new Error('the half hour did not go as planned');
  return took;
}
