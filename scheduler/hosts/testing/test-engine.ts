import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import Docker from 'dockerode';

import { newId } from '../../state/index.ts';
import { labels } from '../agent/docker.ts';
import { TaskNetwork } from '../agent/network/index.ts';
import { silent } from './callers.ts';

/** A Docker engine for a test: a busybox image of its own, and nothing of the test's containers left behind. */
export class TestEngine implements AsyncDisposable {
  readonly docker = new Docker();
  readonly image: string;
  readonly #folders: string[] = [];

  private constructor(image: string) {
    this.image = image;
  }

  static async open(): Promise<TestEngine> {
    const image = `slipway-agent-test-${newId(randomBytes).slice(0, 12)}:latest`;
    await promisify(execFile)('sh', [
      '-c',
      `d=$(mktemp -d) && mkdir -p $d/bin $d/tmp && cp /usr/bin/busybox $d/bin/ && ln -s busybox $d/bin/sh && tar -C $d -c . | docker import - ${image}; rm -rf $d`,
    ]);
    return new TestEngine(image);
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-agent-data-'));
    this.#folders.push(folder);
    return folder;
  }

  /** A container that runs a shell script. */
  container(name: string, script: string, more: Partial<ContainerDefinition> = {}): ContainerDefinition {
    return {
      name,
      image: this.image,
      essential: true,
      cpu: 16,
      memory: 32,
      entryPoint: ['/bin/busybox', 'sh', '-c'],
      command: [script],
      ...more,
    };
  }

  containersOf(taskArn: string): Promise<Docker.ContainerInfo[]> {
    return this.docker.listContainers({ all: true, filters: { label: [`${labels.task}=${taskArn}`] } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.docker.listContainers({ all: true, filters: { ancestor: [this.image] } });
    // Those of the agents that ran them: what holds the tasks' network interfaces is of another image.
    const agents = new Set(left.flatMap(({ Labels }) => Labels[labels.agent] ?? []));
    for (const agent of agents) {
      const filters = { label: [`${labels.agent}=${agent}`] };
      left.push(
        ...(await this.docker.listContainers({ all: true, filters })).filter(
          ({ Id }) => !left.some((info) => info.Id === Id),
        ),
      );
    }
    await Promise.all(left.map((info) => this.docker.getContainer(info.Id).remove({ force: true, v: true })));
    const volumes = new Set(
      left.flatMap((info) => info.Mounts.flatMap(({ Name }) => (Name?.startsWith('ecs-') ? [Name] : []))),
    );
    await Promise.all([...volumes].map((name) => this.docker.getVolume(name).remove()));
    await this.docker.getImage(this.image).remove({ force: true });
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }
}

/** A second way to the Docker engine, which can be taken away. */
export class EngineProxy {
  readonly path: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(path: string) {
    this.path = path;
  }

  async open(): Promise<void> {
    this.#server = createServer((near) => {
      const far = connect('/var/run/docker.sock');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    const listening = Promise.withResolvers<void>();
    this.#server.listen(this.path, () => listening.resolve());
    await listening.promise;
  }

  async close(): Promise<void> {
    const closed = Promise.withResolvers<void>();
    if (this.#server === undefined) return;
    this.#server.close(() => closed.resolve());
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    await closed.promise;
  }
}

/** A script that runs until it is told to stop. */
export const server = 'trap "exit 0" TERM; while :; do busybox sleep 1 & wait $!; done';

/** Why tests that need the host's network cannot run; undefined when they can. Leaves nothing behind. */
export async function networkMissing(): Promise<string | undefined> {
  const probe = new TaskNetwork({
    agentId: `probe-${process.pid}`,
    endpointPort: 1,
    engineNetworks: async () => [],
    nameServers: async () => [],
    log: silent,
  });
  const reason = await probe.reason();
  if (reason === undefined) await probe.close();
  return reason;
}

/** Why tests that need a Docker engine cannot run; undefined when they can. */
export async function engineMissing(): Promise<string | undefined> {
  try {
    await new Docker().ping();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
