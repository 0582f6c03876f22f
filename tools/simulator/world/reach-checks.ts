import { isOut, type TaskRecord } from '@slipway/scheduler/state';
import type { EngineContainer } from './engine.ts';
import type { SimulatedHost } from './host.ts';
import { Violation } from './invariants.ts';
import type { Changed, Mirror } from './mirror.ts';
import type { Sent, SimulatedTraffic } from './traffic.ts';

/** Seconds that targets of the simulation's groups drain at the most. */
export const deregistrationDelay = 20;

/** What is left of a time on a machine whose clock goes too fast. */
const fastest = 0.97;

/** Milliseconds of silence after which an engine may be taken for gone: then it goes on with what it knew. */
const silence = 30_000;

export interface ReachPorts {
  readonly mirror: Mirror;
  readonly hosts: readonly SimulatedHost[];
  readonly engines: readonly SimulatedTraffic[];
  readonly now: () => number;
}

/** Checks every request that an engine sends, and every order to stop, against what clients are promised. */
export class ReachChecks {
  readonly #ports: ReachPorts;
  /** Ids of tasks by their registrations. */
  readonly #owners = new Map<string, string>();
  /** When tasks were noted to be out of rotation (true time), and the engines that were taken for gone by then. */
  readonly #outAt = new Map<string, { readonly at: number; readonly gone: ReadonlySet<SimulatedTraffic> }>();
  /** Ids of tasks of which somebody has removed a container by hand: what is left of them ends at once, whatever was planned. */
  readonly #broken = new Set<string>();
  #lost = false;
  /** Requests that arrived at a task. */
  arrived = 0;

  constructor(ports: ReachPorts) {
    this.#ports = ports;
  }

  /** Takes in what a commit changed. */
  note(changed: readonly Changed[]): void {
    for (const change of changed) {
      if (change.kind !== 'task' || change.after?.targets === undefined) continue;
      const { id, targets, desiredStatus } = change.after;
      for (const target of targets) this.#owners.set(target.id, id);
      if (desiredStatus === 'STOPPED' && isOut(change.after) && !this.#outAt.has(id))
        this.#outAt.set(id, {
          at: this.#ports.now(),
          gone: new Set(this.#ports.engines.filter((one) => this.#isGone(one))),
        });
    }
  }

  #isGone(engine: SimulatedTraffic): boolean {
    return this.#ports.now() - engine.seenAt > silence;
  }

  /** Somebody removes a container by hand. */
  broken(container: EngineContainer): void {
    this.#broken.add(taskOf(container));
  }

  /** The store lost commits: who was told what is not known any more. */
  rewound(): void {
    this.#lost = true;
  }

  /** A request arrives. @throws Violation */
  sent(from: SimulatedTraffic, { registrationId, address, port }: Sent): void {
    const host = this.#ports.hosts.find((one) => one.address === address);
    const container = host?.powered === true ? host.engine.at(port) : undefined;
    if (container === undefined || this.#lost) return;
    const meant = this.#owners.get(registrationId);
    const reached = taskOf(container);
    if (meant !== reached)
      throw new Violation(
        'reached',
        `a request for task ${meant ?? 'nobody'} reached task ${reached} at ${address}:${port}`,
      );
    this.arrived += 1;
    const task = this.#ports.mirror.tasks.get(reached);
    if (container.toldAt !== undefined && !this.#isExcused(task, from))
      throw new Violation(
        'reached',
        `a request of ${from.machine.name} was sent to task ${reached}, which was told to stop`,
      );
  }

  /** A container is told to stop. @throws Violation */
  told(container: EngineContainer): void {
    if (this.#lost) return;
    const task = this.#ports.mirror.tasks.get(taskOf(container));
    for (const engine of this.#ports.engines) {
      const count = (task?.targets ?? []).reduce((sum, { id }) => sum + engine.inFlight(id), 0);
      if (count > 0 && !this.#isExcused(task, engine))
        throw new Violation(
          'reached',
          `task ${task?.id} was told to stop with ${count} requests of ${engine.machine.name} under way`,
        );
    }
  }

  /** Whether nobody has planned the end of the task, or the time is over for which requests are waited for. */
  #isExcused(task: TaskRecord | undefined, engine: SimulatedTraffic): boolean {
    if (task === undefined || task.desiredStatus !== 'STOPPED' || this.#broken.has(task.id)) return true;
    const { mirror, now } = this.#ports;
    const instance = mirror.instances.get(task.instanceId ?? '');
    if (instance === undefined || instance.status === 'INACTIVE') return true;
    if (task.stopCode === 'EssentialContainerExited' || task.stopCode === 'TaskFailedToStart') return true;
    if (task.stopCode === 'SpotInterruption' && !isOut(task)) return true;
    const out = this.#outAt.get(task.id);
    // An engine that nobody waited for may be back with what it knew, in the very moment in which the order arrives.
    if (out?.gone.has(engine) === true || this.#isGone(engine)) return true;
    const waited = (out?.at ?? now()) - (mirror.orderedAt.get(task.id) ?? now());
    return waited >= deregistrationDelay * 1000 * fastest;
  }
}

const taskOf = ({ labels }: EngineContainer): string =>
  (labels['com.amazonaws.ecs.task-arn'] ?? '').split('/').at(-1) ?? '';
