import type { Process } from '../world/machine.ts';
import type { SimulatedNetwork, SimulatedSocket } from '../world/network.ts';
import { account, cluster, region, type SimulatedServer } from '../world/server.ts';

/** Who all scripted agents are. */
export const fleetCaller = 'fleet';
const secret = 'a secret of 32 characters or more';
/** Milliseconds from the order to start a task to its report that it runs, and from the order to stop to its end. */
const startsIn = 200;
const stopsIn = 100;

/** A command of the control plane, as far as scripted agents read it. */
interface Command {
  readonly type: string;
  readonly message: {
    readonly messageId: string;
    readonly tasks?: readonly {
      readonly arn: string;
      readonly desiredStatus: 'RUNNING' | 'STOPPED';
      readonly containers?: readonly { readonly name: string }[];
    }[];
  };
}

/**
 * Agents that only talk: they hold the control connection, acknowledge, and report tasks as started and stopped. So many of them
 * fit into one process that what is measured is the control plane.
 */
export class ScriptedFleet {
  /** Told of every order to start a task, by the task's id. */
  onStart: (taskId: string) => void = () => {};
  connected = 0;
  /** Reports of tasks that started or ended. */
  reports = 0;
  /** Calls that failed, with why. */
  readonly failures: string[] = [];
  readonly #network: SimulatedNetwork;
  readonly #process: Process;
  /** What each instance runs: ids of tasks. */
  readonly #running = new Map<string, Set<string>>();
  readonly #server: () => SimulatedServer;

  /** @param server who answers the agents' calls now */
  constructor(network: SimulatedNetwork, process: Process, server: () => SimulatedServer) {
    this.#network = network;
    this.#process = process;
    this.#server = server;
  }

  /** A task that runs from the start. */
  has(instanceId: string, taskId: string): void {
    this.#tasksOn(instanceId).add(taskId);
  }

  /** Ends a task as a container that exits does. */
  async exits(instanceId: string, taskId: string): Promise<void> {
    if (this.#tasksOn(instanceId).delete(taskId)) await this.#report(arnOf(taskId), 'STOPPED', ['app']);
  }

  /** Connects the agent of an instance to a server. */
  connect(instanceId: string, server: SimulatedServer): void {
    const process = server.process;
    if (process === undefined) throw new Error(`${server.name} does not serve`);
    const [mine, theirs] = this.#network.sockets(this.#process, process);
    const query = new URLSearchParams({
      containerInstanceArn: `arn:aws:ecs:${region}:${account}:container-instance/${cluster}/${instanceId}`,
      seqNum: '1',
      agentVersion: '1.0.0',
    });
    mine.on('message', (data: Buffer) => this.#receive(instanceId, mine, JSON.parse(data.toString()) as Command));
    const serving = server.connect('control', query, fleetCaller, secret, theirs, () => (this.connected += 1));
    serving.catch((error: unknown) => this.failures.push(String(error))).finally(() => (this.connected -= 1));
  }

  #tasksOn(instanceId: string): Set<string> {
    let tasks = this.#running.get(instanceId);
    if (tasks === undefined) this.#running.set(instanceId, (tasks = new Set()));
    return tasks;
  }

  #receive(instanceId: string, socket: SimulatedSocket, { type, message }: Command): void {
    const say = (answer: string): void =>
      socket.send(JSON.stringify({ type: answer, message: { messageId: message.messageId } }));
    if (type === 'HeartbeatMessage') say('HeartbeatAckRequest');
    if (type !== 'PayloadMessage' && type !== 'TaskManifestMessage' && !type.startsWith('Network')) return;
    say('AckRequest');
    if (type !== 'PayloadMessage') return;
    const running = this.#tasksOn(instanceId);
    for (const { arn, desiredStatus, containers = [] } of message.tasks ?? []) {
      const id = arn.slice(arn.lastIndexOf('/') + 1);
      const names = containers.map(({ name }) => name);
      if (desiredStatus === 'RUNNING' && !running.has(id)) {
        running.add(id);
        this.onStart(id);
        this.#process.after(startsIn, () => void this.#report(arn, 'RUNNING', names));
      } else if (desiredStatus === 'STOPPED' && running.delete(id))
        this.#process.after(stopsIn, () => void this.#report(arn, 'STOPPED', ['app']));
    }
  }

  async #report(task: string, status: 'RUNNING' | 'STOPPED', names: readonly string[]): Promise<void> {
    const containers = names.map((containerName) => ({
      containerName,
      status,
      ...(status === 'RUNNING' ? { runtimeId: task.slice(-12) } : { exitCode: 1 }),
    }));
    for (;;) {
      try {
        await this.#server().call('SubmitTaskStateChange', { cluster, task, status, containers }, fleetCaller, secret);
        this.reports += 1;
        return;
      } catch (error) {
        // As an agent: again, until somebody takes it.
        this.failures.push(`${status}: ${String(error)}`);
        await this.#process.clock.sleep(1_000);
      }
    }
  }
}

const arnOf = (taskId: string): string => `arn:aws:ecs:${region}:${account}:task/${cluster}/${taskId}`;
