import type { Part } from '@slipway/auth/contract';

import { createAcm } from '../balancing/acm/index.ts';
import { balancingMetrics } from '../balancing/numbers/index.ts';
import { Balancers, challengeAnswer } from '../balancing/records/index.ts';
import { createElb } from '../balancing/elb/index.ts';
import { createElbv2, createOverview } from '../balancing/elbv2/index.ts';
import { bringAllOn, createCodeDeploy } from '../codedeploy/index.ts';
import { createCluster } from '../cluster/index.ts';
import { type ControlPlane, createControlPlane } from '../control/index.ts';
import { createEcs } from '../ecs/index.ts';
import { createSessions } from '../exec/api/index.ts';
import { ExecFront, recordSession } from '../exec/sessions/index.ts';
import { askHooks, createHookAdministration, type HookPorts } from '../hooks/index.ts';
import { type AgentControl, createAgentControl, createHostAdministration } from '../hosts/control/index.ts';
import { createEc2 } from '../network/ec2/index.ts';
import { Networks } from '../network/records/index.ts';
import { TaskInterfaces, taskNetworks } from '../network/tasks/index.ts';
import { builtInExtensions } from '../placement/index.ts';
import { createFileReader, createObjects, reclaim } from '../objects/index.ts';
import { createKms, Keys } from '../settings/keys/index.ts';
import { createParameterStore, Parameters } from '../settings/parameters/index.ts';
import { createRotationAdministration, rotationTargets, SecretRotator } from '../settings/rotation/index.ts';
import { createSecretsManager, Secrets } from '../settings/secrets/index.ts';
import { createTaskSecrets, restartOnSecrets } from '../settings/tasks/index.ts';
import { AlarmKeeper, Alarms, createAlarmAdministration, createAlarms, StoredPoints } from '../signals/alarms/index.ts';
import {
  createLogs,
  createSubscriptionAdministration,
  LogQueries,
  StoredLogs,
  TaskLogs,
} from '../signals/logs/index.ts';
import { createAutoScaling } from '../scaling/autoscaling/index.ts';
import {
  dropGroupStrays,
  followGroupPolicies,
  followSchedules,
  parseGroupPolicyArn,
} from '../scaling/following/index.ts';
import { scaleCapacity } from '../scaling/capacity/index.ts';
import {
  createGroupAdministration,
  createMachineJoin,
  GroupKeeper,
  Groups,
  machineOf,
  nextMachines,
} from '../scaling/groups/index.ts';
import { createScaling } from '../scaling/api/index.ts';
import { isPolicyArn, scaleServices } from '../scaling/targets/index.ts';
import { Readings, ReadingsTeller, UsageCollector, usageGauges, UsageTeller } from '../signals/usage/index.ts';
import { createCloudWatch, metricGauges, StoredMetrics } from '../signals/metrics/index.ts';
import { createTriggers, createWebhookAdministration, createWebhookReceiver } from '../triggers/index.ts';
import { ClusterViews } from '../views/index.ts';
import { createEfs, FileSystems } from '../volumes/efs/index.ts';
import { createTaskVolumes } from '../volumes/tasks/index.ts';

import { balancedTasks } from './balanced-tasks.ts';
import { type BalancingPart, createBalancing, targetGroups, targetHost } from './balancing.ts';
import { freshNumbers } from './fresh-numbers.ts';
import { schedulerGauges } from './gauges.ts';
import { logGauges } from './log-gauges.ts';
import type { RoleTaker, SchedulerPorts } from './ports.ts';
import { releaseServerCertificate, serverCertificates } from './server-certificates.ts';
import { trafficShifts } from './traffic-shifts.ts';

/** The scheduler, and what those beside it may ask of it. */
export interface SchedulerPart extends Part {
  readonly control: ControlPlane;
  /** Serves one connection of an agent that did not come through `upgrades`; see `AgentControl.connect`. */
  readonly connectAgent: AgentControl['connect'];
  /** A connection of an engine of another host that the gateway let through. */
  readonly connectBalancer: BalancingPart['endpoint']['connect'];
  /** Closes the connections of agents, which then go to another server. */
  disconnectAgents(): void;
  /** Digests that tasks of an account run or a rollback may need. */
  imagesInUse(account: string): Promise<ReadonlySet<string>>;
  /** The answer to a challenge of a certificate that was requested (HTTP-01); undefined when there is no such one. */
  challengeAnswer(token: string): Promise<string | undefined>;
  /** Lets go of a server certificate of IAM's, unless a listener has it. @returns ARNs of the load balancers that do */
  releaseServerCertificate(account: string, arn: string): Promise<readonly string[]>;
}

/** Wires the scheduler's rooms. Nothing runs before `start`. */
export function openScheduler(ports: SchedulerPorts): SchedulerPart {
  const { storage, clock, random, log, region, account, images, ownHost, reach, authorizer, plugins } = ports;
  const { records, blobs, leases, events } = storage;
  const { addressQuarantine, ...timing } = ports.timing;
  const base = {
    records,
    clock,
    random,
    region,
    reach,
    extensions: {
      strategies: new Set([...builtInExtensions.strategies, ...plugins.strategies.map(({ type }) => type)]),
      constraints: new Set([...builtInExtensions.constraints, ...plugins.constraints.map(({ type }) => type)]),
    },
  };
  const metrics = new StoredMetrics({ ...base, blobs, leases, log }, ports.metrics);
  const alarms = new Alarms(base);
  const points = new StoredPoints(metrics);
  const alarmKeeper = new AlarmKeeper({
    ...base,
    leases,
    log,
    outbound: ports.outbound,
    sealer: ports.sealer,
    points,
  });
  const readings = new Readings(base);
  const fresh = freshNumbers(readings, account, () => balancing.numbers);
  const placement = { seed: ports.seed, stopwatch: ports.stopwatch, ...plugins };
  const views = new ClusterViews({ records, clock, log, placement });
  const { outbound, takeRole, sealer, meter } = ports;
  const roleFor =
    (service: RoleTaker): HookPorts['takeRole'] =>
    (request) =>
      takeRole({ ...request, service });
  const hooks = { ...base, log, outbound, takeRole: roleFor('ecs.amazonaws.com'), sealer, authorizer, meter };
  const groups = new Groups(base);
  const control = createControlPlane({
    ...base,
    leases,
    log,
    accounts: [account],
    images,
    ownHost,
    views,
    ...timing,
    meter,
    beside: [
      (led, over) => askHooks({ ...hooks, placer: control.placer }, led, over),
      (led, over) => scaleServices({ ...base, log, alarms, points, fresh, metrics }, led, over),
      (led, over) => {
        const upcoming = nextMachines({ networks, profileRole: ports.profileRole, groups });
        return scaleCapacity({ ...base, log, groups, metrics, nextMachines: upcoming }, led, over);
      },
    ],
  });
  const networks = new Networks({ ...base, zonesOfHosts: (of) => Promise.resolve([...control.zones(of)]) });
  const groupKeeper = new GroupKeeper({
    ...base,
    alarmed: async (account, names) =>
      [...(await alarms.states(account, names))].flatMap(([name, { state }]) => (state === 'ALARM' ? [name] : [])),
    ...ports.machines,
    follow: async (of, held) => {
      await followSchedules({ ...base, log }, of, held);
      await followGroupPolicies({ ...base, log, alarms, points }, of, held);
    },
    sweep: (of) => dropGroupStrays({ ...base, alarms }, of),
    leases,
    log,
    networks,
    profileRole: ports.profileRole,
    outbound: ports.outbound,
    sealer: ports.sealer,
  });
  const interfaces = new TaskInterfaces({ records, clock, log, networks, quarantine: addressQuarantine });
  const { taskCredentials, revokeTaskCredentials, credentialIdKey } = ports;
  const { replaceLostAfter } = timing;
  const usage = new UsageCollector(base);
  const logs = new StoredLogs({ ...base, blobs, leases, log, metrics, outbound, sealer }, ports.logs);
  const queries = new LogQueries({ ...base, logs, blobs, log });
  const telling = new UsageTeller({
    ...base,
    log,
    collector: usage,
    metrics,
    pulls: ports.pulls,
    clusters: () => control.clusters(),
  });
  const reading = new ReadingsTeller({ ...base, log, collector: usage, readings });
  const taskLogs = new TaskLogs({ ...base, logs, authorizer });
  const taskRole = async (roleArn: string, taskArn: string) => {
    const { principal, accessKeyId } = await taskCredentials(roleArn, taskArn);
    await revokeTaskCredentials(accessKeyId);
    return { ...principal, delegated: true as const };
  };
  const recording = { ...base, log, taskLogs, taskRole };
  const exec = new ExecFront({
    ...base,
    log,
    authorizer,
    record: (ref, session, call) => recordSession(recording, ref, session, call),
  });
  const agents = createAgentControl({
    meetings: exec.meetings,
    copies: exec.copies.meetings,
    networks: interfaces,
    usage: (instance) => usage.open(instance),
    ...base,
    views,
    log,
    credentialIdKey,
    ownHost,
    taskCredentials,
    taskSecrets: (principal, needs) => taskSecrets(principal, needs),
    taskVolumes: (...given) => taskVolumes(...given),
    revokeTaskCredentials,
    machineOf: machineOf(base),
    taskLogs,
    // What was replaced elsewhere has had a minute to become healthy there.
    ...(replaceLostAfter === undefined ? {} : { abandonAfter: replaceLostAfter + 60_000 }),
  });
  const following = { ...base, images, ownHost, log, authorizer };
  const webhooks = { ...following, sealer };
  const triggers = createTriggers({ ...following, events, leases });
  const balancers = new Balancers(base);
  const balancing = createBalancing({
    ...base,
    log,
    leases,
    account,
    networks,
    balancers,
    sealer,
    metrics,
    engines: ports.traffic.engines,
    probe: ports.traffic.probe,
    authority: ports.traffic.authority,
    tasks: balancedTasks(records, control),
    shifts: trafficShifts(records, control),
  });
  const keys = new Keys({ ...base, sealer });
  const secrets = new Secrets({ ...base, keys, sealer });
  const rotator = new SecretRotator({
    ...base,
    secrets,
    leases,
    log,
    outbound,
    sealer,
    authorizer,
    placer: control.placer,
  });
  const parameters = new Parameters({ ...base, keys, sealer });
  const objects = { ...base, blobs, authorizer, principals: ports.principals };
  const files = createFileReader(objects);
  const taskSecrets = createTaskSecrets({ ...base, secrets, parameters, authorizer, files });
  const fileSystems = new FileSystems(base);
  const taskVolumes = createTaskVolumes({ ...base, fileSystems, authorizer });
  const upkeep = new AbortController();
  let keeping: Promise<unknown> | undefined;
  let told: Promise<unknown> | undefined;
  const elb = {
    ...base,
    networks,
    balancers,
    pool: ports.traffic.addresses,
    traffic: balancing.reports,
    serverCertificates: serverCertificates(ports.serverCertificate, sealer),
    instances: { find: (of: string, id: string) => Promise.resolve(targetHost(control.host(of, id))) },
  };
  return {
    control,
    connectAgent: (...given) => agents.connect(...given),
    connectBalancer: (...given) => balancing.endpoint.connect(...given),
    disconnectAgents: () => agents.disconnect(),
    imagesInUse: async (of) => new Set((await control.imagesInUse(of)).map(({ digest }) => digest)),
    challengeAnswer: async (token) => challengeAnswer(await balancers.read(account), token),
    releaseServerCertificate: (of, arn) => releaseServerCertificate(balancers, { region, account: of }, arn),
    services: [
      createEcs({
        ...base,
        networks: taskNetworks(networks),
        targetGroups: targetGroups(balancers, region),
        placer: control.placer,
        autoScalingGroups: groups,
        outbound: ports.outbound,
        sessions: exec.waiting,
        agentOperations: agents.operations,
      }),
      createCodeDeploy({
        ...base,
        targetGroups: targetGroups(balancers, region),
        networks: taskNetworks(networks),
        outbound,
        authorizer,
        takeRole: roleFor('codedeploy.amazonaws.com'),
      }),
      createEc2({ ...base, networks, profileRole: ports.profileRole, groups }),
      createAutoScaling({
        ...base,
        alarms,
        groups,
        networks,
        profileRole: ports.profileRole,
        providers: ports.machines.providers.map(({ name }) => name),
        rests: (name) => ports.machines.providers.find((one) => one.name === name)?.rests ?? [],
        checkUrl: ports.outbound.check,
      }),
      createAcm({ ...base, balancers, sealer, authority: ports.traffic.authority }),
      createElb(elb),
      createElbv2(elb),
      createKms({ keys, region, authorizer, principals: ports.principals }),
      createLogs({ ...base, logs, queries, outbound, sealer }),
      createSecretsManager({
        ...base,
        secrets,
        authorizer,
        principals: ports.principals,
        rotation: rotationTargets({ ...base, checkUrl: outbound.check }),
      }),
      createParameterStore({
        ...base,
        parameters,
        secrets,
        authorizer,
        beside: [createSessions({ region, running: exec.running })],
      }),
      createEfs({
        ...base,
        fileSystems,
        networks,
        authorizer,
        principals: ports.principals,
        encryptedShare: ports.fileSystems.encrypted,
      }),
      createCloudWatch({
        ...base,
        metrics,
        beside: [
          createAlarms({
            ...base,
            alarms,
            checkUrl: outbound.check,
            acts: (action, of) =>
              isPolicyArn(region, of, action) || parseGroupPolicyArn(region, of, action) !== undefined
                ? true
                : undefined,
          }),
        ],
      }),
      createScaling({ ...base, alarms }),
    ],
    web: [
      createWebhookReceiver(webhooks),
      createWebhookAdministration(webhooks),
      createHookAdministration(hooks),
      createAlarmAdministration({ ...base, sealer }),
      createRotationAdministration({ ...base, secrets, sealer }),
      createGroupAdministration({ ...base, sealer }),
      createSubscriptionAdministration({ ...base, logs, sealer }),
      createHostAdministration(base),
      createMachineJoin({ ...base, ...ports.machines }),
      createOverview({ region, balancers, traffic: balancing.reports, numbers: balancing.numbers }),
      createObjects(objects),
    ],
    // They are closed in this order: the clients of sessions are told why, while there is a way to them over hosts.
    upgrades: [exec.upgrade, exec.copies.upgrade, ...agents.upgrades, balancing.endpoint],
    jobs: [
      {
        name: 'codedeploy',
        every: 5_000,
        run: async (signal) => {
          await bringAllOn(base, account, signal);
          return undefined;
        },
      },
      {
        name: 'network-sweep',
        every: 600_000,
        run: async () => {
          await interfaces.sweep(account);
          return undefined;
        },
      },
      {
        name: 'objects-sweep',
        every: 600_000,
        run: async (signal) => {
          const { blobs: removed, uploads } = await reclaim(objects, signal);
          return removed + uploads === 0 ? undefined : { removed, uploads };
        },
      },
      {
        name: 'keys-sweep',
        every: 3_600_000,
        run: async () => {
          const { destroyed, rotated } = await keys.sweep();
          return destroyed + rotated === 0 ? undefined : { destroyed, rotated };
        },
      },
      {
        name: 'secrets-sweep',
        every: 3_600_000,
        run: async () => {
          await secrets.sweep();
          return undefined;
        },
      },
    ],
    gauges: [
      ...schedulerGauges(control),
      ...usageGauges(usage.ledger),
      ...logGauges(agents, logs),
      ...metricGauges(metrics),
      ...balancingMetrics(balancing.numbers),
    ],
    async start(role) {
      await createCluster(base, { account, cluster: 'default' }, { tags: {}, settings: [] });
      await control.start();
      if (role.upkeep) {
        triggers.start();
        keeping = Promise.all([
          ...[logs, metrics, alarmKeeper, groupKeeper, rotator].map((one) => one.keep(upkeep.signal)),
          restartOnSecrets({ ...base, secrets, parameters, leases, log }, upkeep.signal),
        ]);
      }
      told = Promise.all([telling.run(upkeep.signal), reading.run(upkeep.signal)]);
      balancing.start(role);
    },
    async stop() {
      upkeep.abort();
      await Promise.all([keeping, told]);
      await triggers.stop();
      await balancing.stop();
      await exec.close();
      await agents.close();
      await interfaces.close();
    },
    async close() {
      await queries.close();
      await Promise.all([logs.close(), metrics.close()]);
      await control.stop();
    },
  };
}
