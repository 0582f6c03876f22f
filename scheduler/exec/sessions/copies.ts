import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';

import type { AccessList, Call, UpgradeService } from '@slipway/auth/contract';
import { settling, waitAtMost } from '@slipway/storage/clock';

import { activeCluster, type ClusterRef, invalidParameter } from '../../cluster/index.ts';
import { arns, type ExecSessionRecord, type TaskRecord } from '../../state/index.ts';
import { findTasks } from '../../tasks/index.ts';

import { acceptCopy, type CopyChannel, copyFrame, copyLimits, copyPath, copyProtocol } from '../protocol/index.ts';
import { execAccess } from './allowed.ts';
import { type Copied, CopyRelay } from './copy-relay.ts';
import type { ExecFrontPorts } from './front.ts';
import { leaveOpen } from './leave-open.ts';
import { Meetings } from './meeting.ts';
import type { Recorder } from './recorder.ts';
import type { ServedRooms } from './served.ts';
import { hostPatience } from './store.ts';
import { execTarget } from './target.ts';

/** Copies that one process carries: of everybody, and of one principal. */
export const mostCopies = { all: 64, each: 16 } as const;
/** Milliseconds that a client has to take what it is told last, and before that what is on its way to it of an archive; and of a refusal alone. */
const lastWords = { longest: 30_000, refused: 5_000 } as const;

/** What a client asks for: an archive of what is at a path, or to have one unpacked there. */
interface AskedCopy {
  readonly cluster: string;
  readonly task: string;
  readonly container: string;
  readonly direction: 'from' | 'to';
  readonly path: string;
}

/**
 * Copies of files from and to containers of tasks: signed connections, for whoever may run commands in the container (`ecs:ExecuteCommand`; the
 * gateway asks again while one lasts), in tasks that were started with ECS Exec.
 */
export class CopyFront {
  readonly upgrade: UpgradeService;
  readonly meetings: Meetings<CopyChannel>;
  readonly #ports: ExecFrontPorts;
  readonly #rooms: Omit<ServedRooms, 'meetings'>;
  readonly #serving = new Set<Promise<void>>();
  /** How many there are; whoever is told that there are too many counts as none. */
  #count = 0;
  /** How many there are, by the principal's id. */
  readonly #counts = new Map<string, number>();
  readonly #copied = new WeakMap<Call, Copied>();
  readonly #stopped = new AbortController();

  constructor(ports: ExecFrontPorts, rooms: Omit<ServedRooms, 'meetings'>) {
    this.#ports = ports;
    this.#rooms = rooms;
    this.meetings = new Meetings(ports.clock);
    this.upgrade = {
      path: copyPath,
      protocol: copyProtocol,
      service: 'ecs',
      access: (query, call) => this.#access(askedOf(query), call),
      audit: {
        // A path whole: what is behind its beginning says which file it was.
        longest: copyLimits.pathBytes + 512,
        opened: (query) => worded(askedOf(query)),
        closed: (query, call) => {
          const { bytes, whole } = this.#copied.get(call) ?? { bytes: 0, whole: false };
          return `${worded(askedOf(query))}: ${bytes} bytes${whole ? '' : ', not all of it'}`;
        },
      },
      accept: (...opening) => this.#accept(...opening),
      close: () => this.close(),
    };
  }

  /** Ends every copy. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await Promise.all(this.#serving);
  }

  async #access(asked: AskedCopy | string, call: Call): Promise<AccessList> {
    // Who asks for nothing that could be is told so, if it may have anything.
    if (typeof asked === 'string') return [{ action: 'ecs:ExecuteCommand', resources: [{ arn: '*' }] }];
    const { cluster, task, container } = asked;
    const ref = { account: call.account, cluster };
    const found = await this.#find(ref, task);
    return [execAccess(this.#ports.region, ref, found ?? { id: task }, container)];
  }

  async #find(ref: ClusterRef, task: string): Promise<TaskRecord | undefined> {
    return (await findTasks(this.#ports, ref, [task])).get(task);
  }

  #accept(request: IncomingMessage, socket: Duplex, head: Buffer, call: Call, query: URLSearchParams): void {
    const { log } = this.#ports;
    const { id } = call.principal;
    const asked = askedOf(query);
    const channel = acceptCopy(request, socket, head);
    if (channel === undefined) return;
    const own = this.#counts.get(id) ?? 0;
    const isFull = own >= mostCopies.each || this.#count >= mostCopies.all || this.#stopped.signal.aborted;
    if (!isFull) {
      this.#count += 1;
      this.#counts.set(id, own + 1);
    }
    const why = isFull ? 'There are too many copies; try again later.' : undefined;
    const served = this.#begin(channel, asked, call, why)
      .catch((err: unknown) => log.warn({ err }, 'a copy ended with an error'))
      .then(() => this.#leaveOpen(channel, isFull ? 0 : lastWords.longest))
      .finally(() => {
        channel.terminate();
        this.#serving.delete(served);
        if (isFull) return;
        this.#count -= 1;
        const others = (this.#counts.get(id) ?? 1) - 1;
        if (others === 0) this.#counts.delete(id);
        else this.#counts.set(id, others);
      });
    this.#serving.add(served);
  }

  /**
   * Lets what was said last get to a client that takes it.
   * @param longest milliseconds that it has for that while the server does not stop
   */
  #leaveOpen(channel: CopyChannel, longest: number): Promise<void> {
    const { clock } = this.#ports;
    return leaveOpen(channel, 1000, async (closed) => {
      await waitAtMost(longest, settling(closed), clock, this.#stopped.signal);
      await waitAtMost(lastWords.refused, settling(closed), clock);
    });
  }

  async #begin(channel: CopyChannel, asked: AskedCopy | string, call: Call, why: string | undefined): Promise<void> {
    if (why !== undefined) refuse(channel, why);
    else if (typeof asked === 'string') refuse(channel, asked);
    else await this.#serve(channel, asked, call);
  }

  async #serve(channel: CopyChannel, asked: AskedCopy, call: Call): Promise<void> {
    const { log } = this.#ports;
    const { waiting } = this.#rooms;
    const ref = { account: call.account, cluster: asked.cluster };
    let session: ExecSessionRecord | undefined;
    let recorder: Recorder | undefined;
    try {
      await activeCluster(this.#ports, ref);
      const task = await this.#find(ref, asked.task);
      if (task === undefined) throw invalidParameter('The referenced task was not found.');
      const place = await execTarget(this.#ports, ref, task, asked.container);
      session = await waiting.begin(ref, {
        ...place,
        taskId: task.id,
        containerName: asked.container,
        command: ['slipway', 'cp', asked.direction, asked.path],
        interactive: false,
        copies: asked.direction,
        principal: call.principal,
      });
      recorder = await this.#ports.record(ref, session, call);
      await this.#relay(channel, { ref, session, asked, call }, recorder);
    } catch (error) {
      log.warn({ ...asked, principal: call.principal.arn, err: error }, 'a copy did not begin');
      refuse(channel, error instanceof Error ? error.message : String(error));
    } finally {
      const stays = (err: unknown): void => log.warn({ ...asked, err }, 'the row of a copy could not be removed');
      if (session !== undefined) await waiting.remove(ref, session.id).catch(stays);
      await recorder?.end();
    }
  }

  async #relay(
    channel: CopyChannel,
    { ref, session, asked, call }: { ref: ClusterRef; session: ExecSessionRecord; asked: AskedCopy; call: Call },
    recorder: Recorder | undefined,
  ): Promise<void> {
    const { clock, log, region } = this.#ports;
    const { running } = this.#rooms;
    const { id, instanceId, taskId, containerName, runtimeId } = session;
    const gone = new AbortController();
    channel.once('close', () => gone.abort());
    if (channel.readyState === channel.CLOSED) return;
    const either = AbortSignal.any([gone.signal, this.#stopped.signal]);
    const host = await this.meetings.wait(id, instanceId, hostPatience, either);
    if (host === undefined) throw new Error('The host of the task did not come for the copy; try again.');
    const { direction, path } = asked;
    const taskArn = arns.task(region, ref.account, ref.cluster, taskId);
    const about = { session: id, cluster: ref.cluster, task: taskId, container: containerName, direction, path };
    const start = { sessionId: id, taskArn, containerName, runtimeId, direction, path };
    const keep = (): Promise<boolean> => running.keep(ref, session);
    const relay = new CopyRelay({ clock, log, client: channel, host, start, keep });
    this.#copied.set(call, relay.copied);
    const kept = keep().catch((err: unknown) => log.warn({ ...about, err }, 'the row of a copy could not be written'));
    const { sourceIp, principal } = call;
    log.info({ ...about, principal: principal.arn, sourceIp }, 'a copy of files of ECS Exec began');
    try {
      await relay.run(this.#stopped.signal);
    } finally {
      host.terminate();
      await kept;
      recorder?.write(Buffer.from(`${relay.copied.bytes} bytes${relay.copied.whole ? '' : ', not all of it'}\n`));
      log.info({ ...about, principal: principal.arn, ...relay.copied }, 'a copy of files of ECS Exec ended');
    }
  }
}

/** What a client asks for; in words what is wrong with it. */
function askedOf(query: URLSearchParams): AskedCopy | string {
  const cluster = query.get('cluster') ?? '';
  const task = query.get('task') ?? '';
  const container = query.get('container') ?? '';
  const direction = query.get('direction') ?? '';
  const path = query.get('path') ?? '';
  if (!/^[\w-]{1,255}$/.test(cluster) || !/^[0-9a-f]{32}$/.test(task) || !/^[\w-]{1,255}$/.test(container))
    return 'Name the cluster, the id of the task and the container of a copy.';
  if (direction !== 'from' && direction !== 'to') return 'The direction of a copy is from or to the container.';
  if (path === '' || path.includes('\0') || Buffer.byteLength(path) > copyLimits.pathBytes)
    return `The path of a copy has 1 to ${copyLimits.pathBytes} bytes.`;
  return { cluster, task, container, direction, path };
}

const worded = (asked: AskedCopy | string): string =>
  typeof asked === 'string' ? 'copies nothing' : `copies ${asked.direction} ${asked.container}: ${asked.path}`;

/** Says why there is no copy. */
function refuse(channel: CopyChannel, reason: string): void {
  channel.say(copyFrame({ type: 'CopyRefused', message: { reason: reason.slice(0, 1024) } }));
}
