import { createServer, type RequestListener, type Server } from 'node:http';

import type Docker from 'dockerode';

import { engineCall } from '../docker.ts';
import type { AgentTask } from '../../wire/index.ts';
import { FirewallError } from '../iptables.ts';

import { addressesOf, type Redirection, RedirectionRules, removeRules } from './firewall.ts';
import { holderText } from './port-holder.ts';
import { limitPerAddress } from './rate-limit.ts';
import { EndpointRequests, type RequestPorts } from './requests.ts';

/** The port of amazon-ecs-agent's endpoint, which no task gets. Whoever listens on it serves this host's containers. */
export const endpointPort = 51679;

/** Connections of one container at a time: enough for every SDK in it, and no other one waits for its idle ones. */
export const connectionsPerAddress = 64;

/** How often the listener and the rules are looked after. Milliseconds. */
const lookAfter = 10_000;

/** A server for containers, which nobody trusts: short limits, and no address may take the connections of the others. Not listening yet. */
export function endpointServer(serve: RequestListener): Server {
  const server = createServer(
    {
      requestTimeout: 10_000,
      headersTimeout: 5_000,
      keepAliveTimeout: 5_000,
      connectionsCheckingInterval: 2_000,
      maxHeaderSize: 8_192,
    },
    serve,
  );
  server.maxConnections = 4_096;
  limitPerAddress(server, connectionsPerAddress);
  return server;
}

export interface TaskEndpointPorts extends RequestPorts {
  /** Whether tasks may be on the host's network. */
  readonly hostNetwork: boolean;
  /** Whether containers may reach the cloud's instance metadata service. */
  readonly instanceMetadata: boolean;
  /** Begins the names of the links of tasks that have addresses of their own. */
  readonly links: string;
  /** Called when the endpoint has come or gone. */
  readonly changed: () => void;
}

/** This host cannot serve the endpoint; the message says why. */
class Unavailable extends Error {
  override readonly name = 'Unavailable';
}

/**
 * The IPv4 address of the host on Docker's default bridge: the gateway that its network names, or on an engine that has not
 * written one down yet (no container was ever started) that of the interface itself (`addresses`, IPv4).
 */
export function addressOfBridge(
  network: Pick<Docker.NetworkInspectInfo, 'IPAM'>,
  addresses: readonly string[],
): string | undefined {
  const gateway = network.IPAM?.Config?.map(({ Gateway }) => Gateway).find((found) => found?.includes('.'));
  return gateway ?? addresses[0];
}

/**
 * The endpoint at 169.254.170.2 for the containers of this host: a listener on the address of Docker's default bridge, and
 * packet filter rules that lead there. It needs the right to change those rules in the Docker engine's network namespace;
 * where it does not work, {@link available} is false and tasks with a role are not placed here.
 */
export class TaskEndpoint {
  readonly #ports: TaskEndpointPorts;
  readonly #requests: EndpointRequests;
  readonly #stopped = new AbortController();
  #server: Server | undefined;
  readonly #rules = new RedirectionRules();
  #redirection: Redirection | undefined;
  #reason: string | undefined = 'it has not been tried yet';
  /** Who has the port, looked up once. */
  #holder: string | undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor(ports: TaskEndpointPorts) {
    this.#ports = ports;
    this.#requests = new EndpointRequests(ports);
  }

  /** Whether containers of this host get answers. */
  get available(): boolean {
    return this.#reason === undefined;
  }

  /** Why there is no endpoint; undefined while there is one. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Tries once, and goes on trying and looking after the rules in the background. Never throws. */
  async start(): Promise<void> {
    await this.#check();
    this.#loop = this.#lookAfter();
  }

  /**
   * Closes the listener. The rules stay while tasks of this agent run: without them a container's request for credentials
   * would leave this host. The next agent takes them up.
   */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    await this.#close();
    if (this.#redirection === undefined || this.#ports.tasks().length > 0) return;
    await removeRules(this.#redirection).catch((error: unknown) =>
      this.#ports.log.warn({ err: error }, 'cannot remove the rules of the task endpoint'),
    );
  }

  /** What a container's environment says of the endpoint; nothing when there is none. */
  environment(task: AgentTask, container: string, credentialsId: string | undefined): Record<string, string> {
    return this.available ? this.#requests.environment(task, container, credentialsId) : {};
  }

  async #lookAfter(): Promise<void> {
    const { clock } = this.#ports;
    while (!this.#stopped.signal.aborted) {
      await clock.sleep(lookAfter, this.#stopped.signal).catch(() => undefined);
      if (!this.#stopped.signal.aborted) await this.#check();
    }
  }

  async #check(): Promise<void> {
    const before = this.#reason;
    try {
      const redirection = this.#redirection ?? (await this.#bridge());
      if (this.#server === undefined) await this.#listen(redirection.address);
      await this.#rules.ensure(redirection);
      this.#redirection = redirection;
      this.#reason = undefined;
    } catch (error) {
      this.#reason = (error as Error).message;
      if (!(error instanceof Unavailable || error instanceof FirewallError)) {
        this.#ports.log.info({ err: error }, 'cannot look after the task endpoint; trying again');
      }
    }
    if (before === this.#reason) return;
    if (this.#reason === undefined) this.#ports.log.info({}, 'tasks get credentials and metadata at 169.254.170.2');
    else this.#ports.log.warn({ reason: this.#reason }, 'tasks with a task role cannot run on this host');
    if ((before === undefined) !== (this.#reason === undefined)) this.#ports.changed();
  }

  /** Where Docker's default bridge network is. */
  async #bridge(): Promise<Redirection> {
    const { docker, links, hostNetwork, instanceMetadata } = this.#ports;
    const { socketPath } = docker.modem as { socketPath?: unknown };
    if (process.platform !== 'linux' || socketPath === undefined) {
      throw new Unavailable('the Docker engine is not on this machine: the agent reaches it over the network');
    }
    const network = (await engineCall(() => docker.getNetwork('bridge').inspect())) as Docker.NetworkInspectInfo;
    const bridge = network.Options?.['com.docker.network.bridge.name'] ?? 'docker0';
    const address = addressOfBridge(network, await addressesOf(bridge));
    if (address === undefined) throw new Unavailable(`Docker's default bridge ${bridge} has no IPv4 address`);
    return { bridge, links, address, port: endpointPort, hostNetwork, instanceMetadata };
  }

  async #listen(address: string): Promise<void> {
    const server = endpointServer(
      (request, response) => void this.#requests.serve(request, response).catch(() => response.destroy()),
    );
    const listening = Promise.withResolvers<void>();
    server.once('error', listening.reject).listen(endpointPort, address, () => listening.resolve());
    try {
      await listening.promise;
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      throw new Unavailable(
        code === 'EADDRINUSE'
          ? `another agent serves the containers of this machine (${address}:${endpointPort} is taken by ${(this.#holder ??= await holderText(endpointPort))})`
          : code === 'EADDRNOTAVAIL'
            ? `the Docker engine's bridge ${address} is not in the agent's network namespace`
            : message,
        { cause },
      );
    }
    server.on('error', (error) => this.#ports.log.warn({ err: error }, 'the task endpoint failed'));
    this.#server = server;
    this.#holder = undefined;
  }

  async #close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = Promise.withResolvers<void>();
    server.close(() => closed.resolve());
    server.closeAllConnections();
    await closed.promise;
  }
}
