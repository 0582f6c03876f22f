import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { networkInterfaces } from 'node:os';

import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import { containerName } from '../create-options.ts';
import { engineCall, EngineError } from '../docker.ts';
import type { AgentContainer, AgentTask } from '../../wire/index.ts';
import { attachmentsOf } from '../network/index.ts';

import { endpointAddress } from './firewall.ts';
import { containerMetadata, type HostFacts, type LiveTask, type MetadataVersion, taskMetadata } from './metadata.ts';
import { RateLimit } from './rate-limit.ts';
import type { RoleKeys } from './role-keys.ts';

export interface RequestPorts {
  readonly docker: Docker;
  readonly clock: Clock;
  readonly log: Log;
  readonly host: HostFacts;
  /** Secret of this agent, from which the ids of containers in metadata paths are made. */
  readonly secret: Uint8Array;
  readonly keys: RoleKeys;
  /** The tasks of this host that are not over. */
  readonly tasks: () => readonly LiveTask[];
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

const failure = (status: number, code: string, message: string): Answer => ({
  status,
  body: { code, message, HTTPErrorCode: status },
});

/**
 * Answers what containers ask at 169.254.170.2: credentials of their task's role, and metadata of their task. An id alone
 * is not enough: the request must come from a container of the task that the id belongs to.
 */
export class EndpointRequests {
  readonly #ports: RequestPorts;
  readonly #limit: RateLimit;

  constructor(ports: RequestPorts) {
    this.#ports = ports;
    this.#limit = new RateLimit(ports.clock);
  }

  /** The variables that tell a container where to ask. */
  environment(task: AgentTask, container: string, credentialsId: string | undefined): Record<string, string> {
    const base = `http://${endpointAddress}`;
    const id = this.#metadataId(task, container);
    return {
      ECS_CONTAINER_METADATA_URI: `${base}/v3/${id}`,
      ECS_CONTAINER_METADATA_URI_V4: `${base}/v4/${id}`,
      ...(credentialsId === undefined
        ? {}
        : { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: `/v2/credentials/${credentialsId}` }),
    };
  }

  /** Answers one request; never throws. */
  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await this.#answer(request).catch((error: unknown) => {
      this.#ports.log.warn({ err: error }, 'could not answer a container');
      return failure(500, 'InternalServerError', 'The agent could not answer.');
    });
    response.writeHead(answer.status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    response.end(JSON.stringify(answer.body));
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const from = request.socket.remoteAddress ?? '';
    if (!this.#limit.allows(from)) {
      return failure(429, 'TooManyRequests', 'The limit is 40 requests a second and 60 at once; try again later.');
    }
    // A page in a browser that reaches the listener by a name of its own does not send this.
    if (request.headers.host !== endpointAddress && request.headers.host !== `${endpointAddress}:80`) {
      return failure(403, 'Forbidden', `Ask ${endpointAddress}.`);
    }
    if (request.method !== 'GET') return failure(405, 'MethodNotAllowed', 'Only GET is served.');
    const url = new URL(request.url ?? '/', `http://${endpointAddress}`);
    const [version = '', ...rest] = url.pathname.slice(1).split('/');
    if (version === 'v1' && rest.length === 1 && rest[0] === 'credentials') {
      return this.#credentials(url.searchParams.get('id') ?? '', from);
    }
    if (version === 'v2' && rest[0] === 'credentials' && rest.length <= 2)
      return this.#credentials(rest[1] ?? '', from);
    if (version === 'v3' || version === 'v4') return this.#metadata(version, rest, from);
    return failure(404, 'NotFound', 'Served are /v2/credentials/<id>, /v3/<id> and /v4/<id>.');
  }

  async #credentials(id: string, from: string): Promise<Answer> {
    if (id === '') return failure(400, 'NoIdInRequest', 'CredentialsV2Request: No Credential ID in the request');
    const task = this.#ports
      .tasks()
      .filter(({ saved }) => saved.credentialsId !== undefined && equal(saved.credentialsId, id))[0];
    if (task === undefined) {
      return failure(400, 'InvalidIdInRequest', 'CredentialsV2Request: Credentials not found');
    }
    if (!(await this.#comesFrom(task, from))) return this.#foreign(task, from);
    const keys = this.#ports.keys.of(task.saved.task.arn, 'TaskApplication');
    if (keys === undefined || Date.parse(keys.expiration) <= this.#ports.clock.now()) {
      // The agent has just started, or the control plane cannot be reached: SDKs try again.
      return failure(503, 'CredentialsUninitialized', 'CredentialsV2Request: Credentials uninitialized for ID');
    }
    return {
      status: 200,
      body: {
        RoleArn: keys.roleArn,
        AccessKeyId: keys.accessKeyId,
        SecretAccessKey: keys.secretAccessKey,
        Token: keys.sessionToken,
        Expiration: keys.expiration,
      },
    };
  }

  async #metadata(version: MetadataVersion, [id = '', ...rest]: readonly string[], from: string): Promise<Answer> {
    const found = this.#containerWith(id);
    if (found === undefined) return failure(404, 'NotFound', 'No container of this host has this id.');
    const { task, container } = found;
    if (!(await this.#comesFrom(task, from))) return this.#foreign(task, from);
    const what = rest.join('/');
    if (what === 'task') return { status: 200, body: taskMetadata(task, this.#ports.host, version) };
    if (what === 'task/stats') return { status: 200, body: await this.#taskStats(task) };
    const body = what === '' ? containerMetadata(task, container, version) : undefined;
    if (body !== undefined) return { status: 200, body };
    const info = task.inspected.get(container.name);
    if (what === 'stats' && info !== undefined) return { status: 200, body: await this.#stats(info.Id) };
    return failure(404, 'NotFound', 'Served are the container itself, /task, /stats and /task/stats.');
  }

  #containerWith(id: string): { task: LiveTask; container: AgentContainer } | undefined {
    for (const task of this.#ports.tasks()) {
      const container = task.saved.task.containers.find(({ name }) =>
        equal(this.#metadataId(task.saved.task, name), id),
      );
      if (container !== undefined) return { task, container };
    }
    return undefined;
  }

  #metadataId(task: AgentTask, container: string): string {
    const name = JSON.stringify([task.arn, container]);
    return createHmac('sha256', this.#ports.secret).update(name).digest('hex').slice(0, 32);
  }

  #foreign(task: LiveTask, from: string): Answer {
    this.#ports.log.warn({ task: task.saved.task.arn, from }, 'refused a request with the id of another task');
    return failure(403, 'Forbidden', 'This id belongs to another task.');
  }

  /** Whether an address is one of a task's containers; asks Docker when what is known does not say so. */
  async #comesFrom(task: LiveTask, address: string): Promise<boolean> {
    // Nothing else on this host can send from there.
    if (attachmentsOf(task.saved.task).some((own) => own.address === address)) return true;
    if ([...task.inspected.values()].some((info) => hasAddress(info, address))) return true;
    for (const { name } of task.saved.task.containers) {
      const container = this.#ports.docker.getContainer(containerName(task.saved.task, name));
      try {
        if (hasAddress(await engineCall(() => container.inspect()), address)) return true;
      } catch (error) {
        if (!(error instanceof EngineError && error.status === 404)) throw error;
      }
    }
    return false;
  }

  async #taskStats(task: LiveTask): Promise<object> {
    const running = [...task.inspected.values()].filter((info) => info.State.Running);
    return Object.fromEntries(
      await Promise.all(running.map(async (info) => [info.Id, await this.#stats(info.Id)] as const)),
    );
  }

  #stats(id: string): Promise<object> {
    return engineCall(() => this.#ports.docker.getContainer(id).stats({ stream: false }));
  }
}

function hasAddress(info: Docker.ContainerInspectInfo, address: string): boolean {
  if (!info.State.Running) return false;
  if (info.HostConfig.NetworkMode === 'host') {
    return Object.values(networkInterfaces()).some((list) => list?.some((own) => own.address === address));
  }
  return Object.values(info.NetworkSettings.Networks).some((network) => network.IPAddress === address);
}

/** Takes the same time whatever the difference, also in length. */
const equal = (one: string, other: string): boolean => timingSafeEqual(digest(one), digest(other));

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
