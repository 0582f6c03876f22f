import { isIP } from 'node:net';

import { AddressRule } from '@slipway/auth/outbound';

import { registryOf, splitRegistry } from '../references/index.ts';

/** Every address but those where clouds and tasks' credential endpoints hand out secrets. */
const anything = new AddressRule(['0.0.0.0/0', '::/0']);

/** Which registries images may come from. */
export class RegistryRule {
  readonly #exact: ReadonlySet<string> | undefined;
  readonly #below: readonly string[];
  readonly #remedy: string;

  /**
   * @param remedy what an operator can do about a registry that is not among them, a sentence
   * @param registries `host[:port]`, `*.example.com` for every host below, `docker.io` for Docker Hub; undefined: any registry
   */
  constructor(registries: readonly string[] | undefined, remedy: string) {
    this.#remedy = remedy;
    const names = registries?.map((name) => (name.startsWith('*.') ? name.toLowerCase() : registryOf(`${name}/`)));
    this.#exact = names === undefined ? undefined : new Set(names);
    this.#below = names?.filter((name) => name.startsWith('*.')).map((name) => name.slice(1)) ?? [];
  }

  /** Why an image may not be pulled, or undefined. @param own whether a registry is this installation's, which is always open */
  refuse(image: string, own: (registry: string) => boolean = () => false): string | undefined {
    const registry = registryOf(image);
    const { host } = splitRegistry(registry);
    const numeric = isIP(host) === 0 && /(?:^|\.)(?:\d+|0x[0-9a-f]*)\.?$/i.test(host);
    if (numeric || (isIP(host) !== 0 && !anything.allows(host)))
      return `The image '${image}' is on ${registry}, which is no registry.`;
    if (this.#exact === undefined || this.#exact.has(registry) || own(registry)) return undefined;
    if (this.#below.some((suffix) => host.endsWith(suffix))) return undefined;
    return `The image '${image}' is on ${registry}, a registry that tasks may not pull from. ${this.#remedy}`;
  }
}
