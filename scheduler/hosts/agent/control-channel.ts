import type { WebSocket } from 'ws';

import type { Log } from '@slipway/auth/contract';

import type { RoleType } from './endpoint/index.ts';
import type { WantedSession } from './exec/index.ts';
import {
  brokenTask,
  type NetworkState,
  type RoleCredentials,
  sendMessage,
  serverMessage,
  taskSchema,
  withChange,
} from '../wire/index.ts';
import type { TaskNetworkPort } from './network/index.ts';
import type { TaskReport } from './report.ts';
import type { SecretValues } from './secret-values.ts';
import type { TaskEngine } from './task-engine.ts';

/** Sequence numbers of one connection share their high part; a lower one comes from a server that was replaced. */
const generationOf = (sequence: number): number => Math.floor(sequence / 2 ** 20);

export interface ControlHandlerPorts {
  readonly engine: Pick<TaskEngine, 'apply' | 'has' | 'notIn' | 'reportOver' | 'stopTask'>;
  readonly network: Pick<TaskNetworkPort, 'apply'>;
  readonly log: Log;
  readonly cluster: string;
  readonly containerInstanceArn: string;
  readonly report: (report: TaskReport) => void;
  /** Takes the credentials of a task's role; they may be newer than those it has. */
  readonly learn: (taskArn: string, type: RoleType, credentials: RoleCredentials) => void;
  /** Takes the values of a task's secrets. */
  readonly learnSecrets: SecretValues['learn'];
  /** A client waits for a session of ECS Exec. */
  readonly execWanted: (session: WantedSession) => void;
  /** The highest sequence number seen by an earlier run. */
  readonly seenSequence: number;
  /** Called when a connection of a newer generation speaks for the first time; resolves when that is durable. */
  readonly sawGeneration: (firstSequence: number) => Promise<void>;
}

/** The agent's end of the ACS connection: carries out what the control plane says, in the order it says it. */
export class ControlHandler {
  readonly #ports: ControlHandlerPorts;
  /** What is being carried out, a queue for each connection. */
  readonly #queues = new Set<Promise<void>>();
  #seen: number;
  #closed = false;
  /** The tasks' network as it was last told, and by which message. */
  #network: { readonly messageId: string; readonly state: NetworkState } | undefined;
  /** Whether the last manifest did not name everything that has containers here. */
  #asked = false;

  constructor(ports: ControlHandlerPorts) {
    this.#ports = ports;
    this.#seen = ports.seenSequence;
  }

  get seenSequence(): number {
    return this.#seen;
  }

  serve(ws: WebSocket): void {
    let queue = Promise.resolve();
    ws.on('message', (data, isBinary) => {
      if (isBinary) return;
      const text = (data as Buffer).toString('utf8');
      this.#queues.delete(queue);
      queue = queue
        .then(() => this.#receive(ws, text))
        .catch((error: unknown) => {
          // Without an acknowledgement the control plane says it again.
          this.#ports.log.warn({ err: error }, 'could not carry out a message of the control plane');
        });
      this.#queues.add(queue);
    });
  }

  /** Carries out nothing more; resolves when what was begun is done. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#queues);
  }

  async #receive(ws: WebSocket, text: string): Promise<void> {
    if (this.#closed) return;
    const parsed = serverMessage.safeParse(JSON.parse(text));
    if (!parsed.success) {
      this.#ports.log.info({ issues: parsed.error.issues.length }, 'ignored a message of the control plane');
      return;
    }
    const { type, message } = parsed.data;
    switch (type) {
      case 'HeartbeatMessage':
        sendMessage(ws, 'HeartbeatAckRequest', { messageId: message.messageId ?? '' });
        return;
      case 'PayloadMessage':
        if (!(await this.#accepts(ws, message.seqNum))) return;
        await this.#payload(message.tasks, message.installation);
        this.#acknowledge(ws, message.messageId);
        return;
      case 'NetworkStateMessage': {
        const { messageId, seqNum, address, tunnel, blocks, groups, members, peers } = message;
        if (!(await this.#accepts(ws, seqNum))) return;
        await this.#apply(ws, messageId, { address, tunnel, blocks, groups, members, peers });
        return;
      }
      case 'NetworkChangeMessage': {
        const { messageId, seqNum, after, change } = message;
        if (!(await this.#accepts(ws, seqNum))) return;
        // Without an acknowledgement all of it comes again.
        if (this.#network?.messageId === after)
          await this.#apply(ws, messageId, withChange(this.#network.state, change));
        return;
      }
      case 'ExecSessionMessage':
        // Said again until the session has begun; what it is the server that has the client says.
        this.#ports.execWanted(message);
        return;
      case 'IAMRoleCredentialsMessage': {
        const { messageId, taskArn, roleType, roleCredentials } = message;
        if (!this.#ports.engine.has(taskArn)) return;
        this.#ports.learn(taskArn, roleType, roleCredentials);
        const { credentialsId, expiration } = roleCredentials;
        sendMessage(ws, 'IAMRoleCredentialsAckRequest', { messageId, credentialsId, expiration });
        return;
      }
      case 'TaskManifestMessage': {
        if (!(await this.#accepts(ws, message.timeline))) return;
        this.#acknowledge(ws, message.messageId);
        const wanted = new Set(message.tasks.map((task) => task.taskArn));
        this.#ports.engine.reportOver(wanted);
        const unwanted = await this.#ports.engine.notIn(wanted, message.installation);
        // Once more when there are none any more: the control plane remembers what it was asked about.
        if (unwanted.length === 0 && !this.#asked) return;
        this.#asked = unwanted.length > 0;
        sendMessage(ws, 'TaskStopVerificationMessage', {
          messageId: message.messageId,
          stopCandidates: unwanted.map((taskArn) => ({ taskArn })),
        });
        return;
      }
      case 'TaskStopVerificationAck':
        for (const { taskArn } of message.stopTasks) {
          this.#ports.log.info({ task: taskArn }, 'the control plane does not want this task; stopping it');
          await this.#ports.engine.stopTask(taskArn);
        }
        return;
    }
  }

  /** Puts a state of the network into effect. One that fails to is known all the same: what changes of it then comes, and is tried with it. */
  async #apply(ws: WebSocket, messageId: string, state: NetworkState): Promise<void> {
    this.#network = { messageId, state };
    await this.#ports.network.apply(state);
    this.#acknowledge(ws, messageId);
  }

  /** Whether a command is newer than every server this agent has obeyed; otherwise the connection is given up. */
  async #accepts(ws: WebSocket, sequence: number): Promise<boolean> {
    if (generationOf(sequence) < generationOf(this.#seen)) {
      this.#ports.log.warn({ sequence, seen: this.#seen }, 'ignored a command of a server that was replaced');
      ws.close(1000, 'stale sequence number');
      return false;
    }
    const newGeneration = generationOf(sequence) > generationOf(this.#seen);
    this.#seen = Math.max(this.#seen, sequence);
    if (newGeneration) await this.#ports.sawGeneration(sequence);
    return true;
  }

  async #payload(tasks: readonly unknown[], installation: string | undefined): Promise<void> {
    const parsed = tasks.map((task) => ({ given: task, result: taskSchema.safeParse(task) }));
    for (const { given, result } of parsed) {
      const broken = result.success ? undefined : brokenTask.safeParse(given).data;
      if (broken === undefined) continue;
      const reason = 'UnrecognizedTaskError: the agent cannot read this task';
      this.#ports.report({ arn: broken.arn, status: 'STOPPED', reason, containers: [] });
    }
    const good = parsed.flatMap(({ result }) => (result.success ? [result.data] : []));
    // What stops makes room for what starts.
    for (const status of ['STOPPED', 'RUNNING'] as const) {
      for (const task of good) {
        if (task.desiredStatus !== status) continue;
        if (task.secretValues !== undefined) this.#ports.learnSecrets(task.arn, task.secretValues);
        if (task.roleCredentials !== undefined) this.#ports.learn(task.arn, 'TaskApplication', task.roleCredentials);
        if (task.executionRoleCredentials !== undefined)
          this.#ports.learn(task.arn, 'TaskExecution', task.executionRoleCredentials);
        await this.#ports.engine.apply(task, installation);
      }
    }
  }

  #acknowledge(ws: WebSocket, messageId: string): void {
    const { cluster, containerInstanceArn } = this.#ports;
    sendMessage(ws, 'AckRequest', { cluster, containerInstance: containerInstanceArn, messageId });
  }
}
