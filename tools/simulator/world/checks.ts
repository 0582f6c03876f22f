import type { RecordStore } from '@slipway/storage/records';
import type { VirtualClock } from '../virtual-clock.ts';
import { AddressChecks } from './addresses.ts';
import { AlarmDays } from './alarm-checks.ts';
import { AnswerChecks, type Answered } from './answers.ts';
import { Chance } from './chance.ts';
import { CommitChecks } from './commit-checks.ts';
import { describeChange } from './describe.ts';
import type { EngineContainer } from './engine.ts';
import { GroupChecks } from './group-checks.ts';
import type { History } from './history.ts';
import type { SimulatedHost } from './host.ts';
import { Violation } from './invariants.ts';
import { JudgeChecks } from './judge-checks.ts';
import { Mirror } from './mirror.ts';
import type { Counts } from './outcome.ts';
import type { Plan } from './plan.ts';
import { ReachChecks } from './reach-checks.ts';
import type { Receiver } from './receiver.ts';
import { account, cluster, type SimulatedServer } from './server.ts';
import { StageChecks } from './stage-checks.ts';
import type { SeenCommit } from './store.ts';
import type { Sent, SimulatedTraffic } from './traffic.ts';

export interface ChecksPorts {
  readonly plan: Plan;
  readonly time: VirtualClock;
  /** The store itself. */
  readonly truth: RecordStore;
  readonly servers: readonly SimulatedServer[];
  /** As they come and go. */
  readonly hosts: readonly SimulatedHost[];
  readonly engines: readonly SimulatedTraffic[];
  readonly receiver: Receiver;
  readonly history: History;
  readonly counts: Counts;
  /** By how many milliseconds wall clocks may have been off when something was noted. */
  readonly clockError: number;
  readonly violated: (violation: Violation) => void;
}

/** What must hold at every commit, start of a container, request and answer; what must hold at rest is {@link Quiet}'s. */
export class Checks {
  /** What the store truly holds. */
  readonly mirror: Mirror;
  readonly addresses: AddressChecks;
  readonly alarms: AlarmDays;
  readonly groups: GroupChecks;
  readonly judge: JudgeChecks;
  readonly reach: ReachChecks;
  readonly stages: StageChecks;
  readonly #ports: ChecksPorts;
  readonly #commits: CommitChecks;
  readonly #answers: AnswerChecks;
  /** How many tasks users asked for under each client token. */
  readonly #tokens = new Map<string, number>();
  /** How often a container of a task was started, by task ARN and name. */
  readonly #starts = new Map<string, number>();
  /** Whether the store ever lost commits: then nothing acknowledged need be there. */
  #rewound = false;
  #laggedUntil = 0;

  constructor(ports: ChecksPorts) {
    this.#ports = ports;
    const { plan, time, truth, hosts, engines, receiver, clockError } = ports;
    const now = (): number => time.now();
    const lag = (): number => (now() < this.#laggedUntil ? 40_000 : 3_000);
    const mirror = new Mirror(account, cluster, now);
    this.mirror = mirror;
    this.addresses = new AddressChecks({ account, mirror, hosts, now, clockError });
    this.alarms = new AlarmDays({ truth, chance: new Chance(plan.seed ^ 0xa1a6), clock: time, lag });
    this.groups = new GroupChecks({ mirror, now, lag });
    this.judge = new JudgeChecks({ mirror, hosts });
    this.reach = new ReachChecks({ mirror, hosts, engines, now });
    this.stages = new StageChecks({ mirror, hasAgreed: (execution) => receiver.hasAgreed(execution), lag, now });
    this.#commits = new CommitChecks({
      mirror,
      now,
      lag,
      leavesAfter: plan.troubles.deregisterLostAfter,
      asked: (token) => this.#tokens.get(token),
    });
    this.#answers = new AnswerChecks(mirror);
  }

  /** Servers hear of changes late for a while. */
  lagUntil(time: number): void {
    this.#laggedUntil = Math.max(this.#laggedUntil, time + 10_000);
  }

  /** The store lost commits. */
  async rewound(): Promise<void> {
    const { plan, truth } = this.#ports;
    this.#rewound = true;
    this.#commits.rewound();
    this.stages.rewound();
    this.reach.rewound();
    this.judge.rewound();
    await this.mirror.reload(truth);
    if (plan.alarms) await this.alarms.rewound();
    await this.addresses.rewound(truth);
  }

  /** A commit has taken place, and nobody knows yet. */
  seen(commit: SeenCommit): void {
    const { plan, history, counts } = this.#ports;
    counts.commits += 1;
    this.#oneHolder(commit);
    this.#hold(() => {
      for (const what of this.addresses.check(commit)) history.note(commit.process.name, what);
    });
    if (plan.groups) this.#hold(() => this.groups.check(commit));
    const changed = this.mirror.apply(commit);
    if (changed === undefined) return;
    for (const change of changed) {
      if (change.kind === 'task' && change.before === undefined) counts.tasksStarted += 1;
      history.note(commit.process.name, () => describeChange(change));
    }
    this.reach.note(changed);
    this.#hold(() => this.#commits.check(commit, changed));
    this.#hold(() => this.stages.check(commit, changed));
    this.#hold(() => this.alarms.check(commit, changed));
    if (plan.judged) this.#hold(() => this.judge.check(commit, changed));
  }

  /** Somebody is about to call the API. */
  asks(input: object): void {
    const { clientToken, count = 1 } = input as { clientToken?: string; count?: number };
    if (clientToken !== undefined) this.#tokens.set(clientToken, count);
  }

  /** Somebody has been answered. */
  answered(answered: Answered): void {
    if (!this.#rewound) this.#hold(() => this.#answers.check(answered));
  }

  /** An engine starts a container. */
  started(host: SimulatedHost, container: EngineContainer): void {
    const { history, counts, violated } = this.#ports;
    counts.containersStarted += 1;
    const arn = container.labels['com.amazonaws.ecs.task-arn'] ?? '';
    const name = container.labels['com.amazonaws.ecs.container-name'] ?? '';
    const key = `${arn} ${name}`;
    const starts = (this.#starts.get(key) ?? 0) + 1;
    this.#starts.set(key, starts);
    history.note(host.name, () => `started ${container.name} (${container.digest.slice(-4)})`);
    if (starts > 1) violated(new Violation('started-once', `${name} of ${arn} was started ${starts} times`));
    this.#pinned(arn, name, container.digest);
    this.#rejoined(host, container);
  }

  /** An engine tells a container to stop. */
  told(container: EngineContainer): void {
    this.#hold(() => this.reach.told(container));
  }

  /** A host has given a task an address. */
  linked(host: SimulatedHost, id: string, address: string): void {
    this.#ports.history.note(host.name, () => `linked ${id} (${address})`);
    this.#hold(() => this.addresses.linked(host, id, address));
  }

  /** A request of a load balancer arrives. */
  sent(from: SimulatedTraffic, request: Sent): void {
    this.#hold(() => this.reach.sent(from, request));
  }

  /** The provider of machines is about to end one. */
  ends(id: string): void {
    this.#ports.history.note('provider', () => `ends ${id}`);
    this.#hold(() => this.groups.ends(id));
  }

  #hold(check: () => void): void {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      this.#ports.violated(error);
    }
  }

  #oneHolder({ process, partition, batch }: SeenCommit): void {
    if (this.#rewound) return;
    const { servers, violated } = this.#ports;
    for (const { key } of batch.put ?? []) {
      const taken = /^\$lease\/(.+)\/epoch$/.exec(key)?.[1];
      if (taken === undefined || batch.put?.some((row) => row.key === `$lease/${taken}/holder`) !== true) continue;
      const others = servers.filter(({ machine }) => machine !== process.machine && !machine.paused);
      const other = others.find((server) => server.holds(partition, taken));
      if (other !== undefined)
        violated(new Violation('one-holder', `${process.name} took ${taken} while ${other.name} held it`));
    }
  }

  /** A host that joined anew has ended all that it ran before; what another agent left whose data was lost is ended by the servers' leave. */
  #rejoined(host: SimulatedHost, started: EngineContainer): void {
    const instanceOf = ({ labels }: EngineContainer): string | undefined =>
      this.mirror.tasks.get((labels['com.amazonaws.ecs.task-arn'] ?? '').split('/').at(-1) ?? '')?.instanceId;
    const now = instanceOf(started);
    if (now === undefined || this.#rewound) return;
    for (const other of host.engine.containers.values()) {
      const then = instanceOf(other);
      const same = other.labels['dev.slipway.agent'] === started.labels['dev.slipway.agent'];
      if (other.status !== 'running' || !same || then === undefined || then === now) continue;
      const detail = `${host.name} started ${started.name} as ${now} while ${other.name} ran, which it began as ${then}`;
      this.#ports.violated(new Violation('rejoined', detail));
    }
  }

  #pinned(arn: string, name: string, digest: string): void {
    const task = this.mirror.tasks.get(arn.slice(arn.lastIndexOf('/') + 1));
    const service = this.mirror.services.get(task?.service?.name ?? '');
    const deployment = service?.deployments.find(({ id }) => id === task?.service?.deploymentId);
    const pin = deployment?.images?.[name]?.split('@')[1];
    if (pin === undefined || pin === digest) return;
    this.#ports.violated(
      new Violation('pinned', `${name} of ${arn} runs ${digest.slice(-6)}, its deployment pinned ${pin.slice(-6)}`),
    );
  }
}
