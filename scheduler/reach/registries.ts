import { isIP } from 'node:net';

import { AddressRule } from '@slipway/auth/outbound';

import { registryNamed, registryOf, splitRegistry } from '../references/index.ts';

/** Every address but those where clouds and tasks' credential endpoints hand out secrets. */
const anything = new AddressRule(['0.0.0.0/0', '::/0']);

/** What decides which registries images may come from. */
export interface RegistryRuleOptions {
  /**
   * `host[:port]`, `*.example.com` for every host below, `docker.io` for Docker Hub: no others, and these wherever they are.
   * Undefined: every registry at a public address.
   */
  readonly registries?: readonly string[] | undefined;
  /** Which addresses registries that are not named may have. */
  readonly addresses: AddressRule;
  /** What an operator can do, a sentence each. */
  readonly remedies: {
    /** About a registry that is not among those named. */
    readonly unnamed: string;
    /** About one at a private address. */
    readonly closed: string;
  };
}

/** Which registries images may come from. Engines fetch from the host, where more can be reached than from a task. */
export class RegistryRule {
  readonly #options: RegistryRuleOptions;
  readonly #exact: ReadonlySet<string> | undefined;
  readonly #below: readonly string[];

  constructor(options: RegistryRuleOptions) {
    this.#options = options;
    const names = options.registries?.map(registryNamed);
    this.#exact = names === undefined ? undefined : new Set(names);
    this.#below = names?.filter((name) => name.startsWith('*.')).map((name) => name.slice(1)) ?? [];
  }

  /**
   * Why an image may not be pulled, or undefined. Names are checked as far as they go by themselves; what they resolve to is for
   * {@link settle}. @param own whether a registry is this installation's, which is always open
   */
  refuse(image: string, own: (registry: string) => boolean): string | undefined {
    const { addresses, remedies } = this.#options;
    const registry = registryOf(image);
    const { host } = splitRegistry(registry);
    const numeric = isIP(host) === 0 && /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i.test(host);
    if (numeric || (isIP(host) !== 0 && !anything.allows(host)))
      return `The image '${image}' is on ${registry}, which is no registry.`;
    if (own(registry) || this.#names(registry)) return undefined;
    if (this.#exact !== undefined)
      return `The image '${image}' is on ${registry}, a registry that tasks may not pull from. ${remedies.unnamed}`;
    const loopback = /(?:^|\.)localhost\.?$/.test(host);
    if (isIP(host) === 0 && !loopback) return undefined;
    return addresses.allows(loopback ? '127.0.0.1' : host)
      ? undefined
      : `The image '${image}' is on ${registry}, which is private. ${remedies.closed}`;
  }

  /**
   * The same for a pull that is to begin now: the name of a registry that nobody named is resolved, and every answer is checked.
   * The engine resolves it again, so an answer that changes in between is not held by this but by the registry's certificate.
   * @throws ImageRefused, RegistryUnresolved
   */
  async settle(
    image: string,
    ports: {
      readonly own: (registry: string) => boolean;
      readonly resolve: (host: string) => Promise<readonly string[]>;
    },
  ): Promise<void> {
    const refused = this.refuse(image, ports.own);
    if (refused !== undefined) throw new ImageRefused(refused);
    const registry = registryOf(image);
    const { host } = splitRegistry(registry);
    // Docker Hub is where the engine, and the mirrors its operator gave it, say it is.
    if (registry === 'docker.io' || isIP(host) !== 0 || ports.own(registry) || this.#names(registry)) return;
    const addresses = await ports.resolve(host).catch(() => []);
    if (addresses.length === 0)
      throw new RegistryUnresolved(`The registry ${registry} of the image '${image}' cannot be resolved.`);
    if (addresses.some((address) => !this.#options.addresses.allows(address)))
      throw new ImageRefused(
        `The image '${image}' is on ${registry}, which resolves to a private address. ${this.#options.remedies.closed}`,
      );
  }

  /** Whether the operator named the registry. */
  #names(registry: string): boolean {
    const { host } = splitRegistry(registry);
    return this.#exact?.has(registry) === true || this.#below.some((suffix) => host.endsWith(suffix));
  }
}

/** An image must not be pulled; the message says why. */
export class ImageRefused extends Error {
  override readonly name = 'ImageRefused';
}

/** A registry's name has no address just now. */
export class RegistryUnresolved extends Error {
  override readonly name = 'RegistryUnresolved';
}
