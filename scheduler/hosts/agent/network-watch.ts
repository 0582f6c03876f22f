import type { Clock } from '@slipway/storage/clock';

import type { Log } from '@slipway/auth/contract';

import type { TaskNetworkPort } from './network/index.ts';

/** How often it is looked at whether the host's network is still as it must be. Milliseconds. */
const lookAfter = 10_000;

/** Knows whether this host gives tasks network interfaces of their own, and keeps what that needs in place. */
export class NetworkWatch {
  /** Called when that has changed. */
  changed: () => void = () => undefined;
  readonly port: TaskNetworkPort;
  readonly #ports: { readonly clock: Clock; readonly log: Log };
  readonly #stopped = new AbortController();
  #reason: string | undefined = 'it has not been tried yet';
  #loop: Promise<void> = Promise.resolve();

  constructor(port: TaskNetworkPort, ports: { readonly clock: Clock; readonly log: Log }) {
    this.port = port;
    this.#ports = ports;
  }

  /** Why it does not; undefined while it does. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Looks once, and goes on looking in the background. Never throws. */
  async start(): Promise<void> {
    await this.#look();
    this.#loop = this.#lookAfter();
  }

  /**
   * Gives up what the host was told of the network, which is no longer its own: connections that stand may end, and nobody begins a
   * new one until the next state comes.
   */
  async forget(): Promise<void> {
    if (this.#reason !== undefined) return;
    await this.port.apply({ address: '0.0.0.0', blocks: [], groups: [], members: {}, peers: [] });
  }

  /** @param last whether no task is left: then the host's network becomes as if the agent had never been there */
  async stop(last: boolean): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    if (!last || this.#reason !== undefined) return;
    await this.port
      .close()
      .catch((error: unknown) => this.#ports.log.warn({ err: error }, "cannot clear the tasks' network"));
  }

  async #lookAfter(): Promise<void> {
    const { clock } = this.#ports;
    while (!this.#stopped.signal.aborted) {
      await clock.sleep(lookAfter, this.#stopped.signal).catch(() => undefined);
      if (!this.#stopped.signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const before = this.#reason;
    this.#reason = await this.port.reason().catch((error: Error) => error.message);
    if (before === this.#reason) {
      // While it gives tasks none, nothing is said of its end of the tunnels.
      if (this.#reason === undefined && !this.port.isTold) this.changed();
      return;
    }
    if (this.#reason === undefined) this.#ports.log.info({}, 'tasks get network interfaces of their own');
    else this.#ports.log.warn({ reason: this.#reason }, 'tasks with awsvpc networking cannot run on this host');
    this.changed();
  }
}
