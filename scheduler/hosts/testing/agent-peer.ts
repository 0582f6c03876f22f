import {
  type ContainerInstance,
  RegisterContainerInstanceCommand,
  type RegisterContainerInstanceCommandInput,
} from '@aws-sdk/client-ecs';
import { hostSecretHeader } from '@slipway/auth/contract';
import aws4 from 'aws4';
import { once } from 'node:events';
import { connect } from 'node:net';
import { WebSocket } from 'ws';

import { TestControlPlane, until } from './bench.ts';
import { keysOf, region } from './callers.ts';
import type { BenchOptions } from './serve.ts';
import type { TaskDefinitionRecord } from '../../state/index.ts';
import type { AgentTask } from '../wire/index.ts';

export interface Frame {
  readonly type: string;
  readonly message: {
    readonly messageId: string;
    readonly seqNum: number;
    readonly tasks: readonly AgentTask[];
  } & Record<string, unknown>;
}

/** A bare client of the two WebSockets: what it received, and how it ended. */
export class Peer {
  readonly frames: Frame[] = [];
  readonly ws: WebSocket;
  closed: { code: number; reason: string } | undefined;
  refused: { status: number; body: string } | undefined;

  constructor(plane: TestControlPlane, who: Who, path: string, query: Record<string, string>) {
    const { url, headers } = signedUpgrade(plane, who, path, query);
    this.ws = new WebSocket(url.href.replace('http', 'ws'), { headers });
    this.ws.on('message', (data) => this.frames.push(JSON.parse((data as Buffer).toString()) as Frame));
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    this.ws.on('error', () => undefined);
    this.ws.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('end', () => {
        this.refused = { status: response.statusCode ?? 0, body };
      });
    });
  }

  send(type: string, message: object): void {
    this.ws.send(JSON.stringify({ type, message }));
  }

  frame(type: string, matches: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return until(() => this.frames.find((frame) => frame.type === type && matches(frame)), `a ${type}`);
  }

  /** The first payload that names a task with a desired status. */
  async payload(taskArn: string, desired: string): Promise<{ frame: Frame; task: AgentTask }> {
    const names = (frame: Frame): AgentTask | undefined =>
      frame.message.tasks.find((task) => task.arn === taskArn && task.desiredStatus === desired);
    const frame = await this.frame('PayloadMessage', (candidate) => names(candidate) !== undefined);
    return { frame, task: names(frame) as AgentTask };
  }
}

/** Which of the two principals plays an agent, and what its host shows beside the keys. */
interface Who {
  readonly who?: 'one' | 'two';
  readonly secret?: string;
}

function signedUpgrade(
  plane: TestControlPlane,
  { who = 'one', secret }: Who,
  path: string,
  query: Record<string, string>,
): { readonly url: URL; readonly headers: Record<string, string> } {
  const url = new URL(`${plane.endpoint}${path}`);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  const target = `${url.pathname}${url.search}`;
  const shown = { Host: url.host, ...(secret === undefined ? {} : { [hostSecretHeader]: secret }) };
  const request = { service: 'ecs', region, method: 'GET', host: url.host, path: target, headers: shown };
  return { url, headers: aws4.sign(request, keysOf(who)).headers as Record<string, string> };
}

/** What an agent says of its host when it registers. */
export const resources = (cpu: number): RegisterContainerInstanceCommandInput => ({
  cluster: 'default',
  totalResources: [
    { name: 'CPU', type: 'INTEGER', integerValue: cpu },
    { name: 'MEMORY', type: 'INTEGER', integerValue: 4096 },
    { name: 'PORTS', type: 'STRINGSET', stringSetValue: ['22', '2375'] },
    { name: 'PORTS_UDP', type: 'STRINGSET', stringSetValue: [] },
  ],
  attributes: [{ name: 'ecs.os-type', value: 'linux' }, { name: 'com.amazonaws.ecs.capability.ecr-auth' }],
});

/** A control plane, and the agents that a test plays by hand. */
export class AgentBench implements AsyncDisposable {
  readonly plane: TestControlPlane;
  readonly #peers: Peer[] = [];

  private constructor(plane: TestControlPlane) {
    this.plane = plane;
  }

  static async open(options: BenchOptions = {}): Promise<AgentBench> {
    return new AgentBench(await TestControlPlane.open(options));
  }

  /** Registers an instance. @param more attributes of its host @returns its ARN */
  async register({ who = 'one', secret }: Who = {}, more: readonly string[] = []): Promise<string> {
    const host = resources(2048);
    const attributes = [...(host.attributes ?? []), ...more.map((name) => ({ name }))];
    const answer: { containerInstance?: ContainerInstance | undefined } = await this.plane
      .client(who, secret)
      .send(new RegisterContainerInstanceCommand({ ...host, attributes }));
    return answer.containerInstance?.containerInstanceArn ?? '';
  }

  /** Opens the control connection of an instance, or another one. */
  connect(instance: string, more: Who & { seqNum?: string; kind?: 'acs' | 'tcs' | 'logs' } = {}): Peer {
    const { seqNum = '1', kind = 'acs' } = more;
    const peer = new Peer(this.plane, more, `/agent/${kind}/ws`, this.#query(instance, kind, seqNum));
    this.#peers.push(peer);
    return peer;
  }

  /** Says bytes right behind the head of a signed upgrade, in one packet. @returns what came until the connection ended */
  async upgradeThen(kind: 'acs' | 'tcs', instance: string, bytes: Buffer): Promise<string> {
    const { url, headers } = signedUpgrade(this.plane, {}, `/agent/${kind}/ws`, this.#query(instance, kind, '1'));
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };
    const key = { 'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64') };
    const lines = Object.entries({ ...headers, ...upgrade, ...key }).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = connect(Number(url.port), url.hostname);
    let answer = '';
    socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
    const head = `GET ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join('')}\r\n`;
    socket.write(Buffer.concat([Buffer.from(head, 'latin1'), bytes]));
    await once(socket, 'close');
    return answer;
  }

  #query(instance: string, kind: 'acs' | 'tcs' | 'logs', seqNum: string): Record<string, string> {
    if (kind === 'logs') return { containerInstanceArn: instance };
    const versions = { agentHash: 'abc', agentVersion: '1.2.3', dockerVersion: 'DockerVersion: 20.10' };
    return kind === 'acs'
      ? {
          ...versions,
          clusterArn: 'default',
          containerInstanceArn: instance,
          protocolVersion: '2',
          sendCredentials: 'true',
          seqNum,
        }
      : { ...versions, cluster: 'default', containerInstance: instance };
  }

  /** A task definition of one small container. */
  simple(): Promise<TaskDefinitionRecord> {
    return this.plane.register({
      containerDefinitions: [{ name: 'main', image: 'web', essential: true, memory: 32 }],
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const peer of this.#peers) peer.ws.terminate();
    await this.plane[Symbol.asyncDispose]();
  }
}
