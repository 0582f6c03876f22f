import { networkInterfaces } from 'node:os';

/** What decides whose a registry is. */
export interface OwnHosts {
  /** `host[:port]` names that the operator gave this installation; without a port any of ours serves behind them. */
  readonly endpoints: readonly string[];
  /** Where it listens: an address or name, `0.0.0.0` or `::` for every address of the machine. */
  readonly listening: { readonly host: string; readonly port: number } | undefined;
  /** This machine's own addresses, asked for only when it listens on all of them. */
  readonly addresses: () => readonly string[];
}

/**
 * Whether `host[:port]` of an image reference means this installation. Names are compared as they are written: who is taken for
 * this installation is sent its passwords, so nothing that merely resembles one of its addresses counts. `localhost` is the one
 * other name, of a server that listens on loopback.
 */
export function isOwnHost(reference: string, { endpoints, listening, addresses }: OwnHosts): boolean {
  const host = reference.toLowerCase();
  const named = endpoints.map((endpoint) => endpoint.toLowerCase());
  if (named.includes(host)) return true;
  const [, name = '', port = ''] = /^(.*?)(?::(\d+))?$/.exec(host) ?? [];
  if (listening === undefined || port !== String(listening.port)) return false;
  if (named.includes(name)) return true;
  const bare = name.replaceAll(/^\[|\]$/g, '');
  switch (listening.host) {
    case '0.0.0.0':
    case '::':
      return bare === 'localhost' || addresses().includes(bare);
    case '127.0.0.1':
    case '::1':
      return bare === listening.host || bare === 'localhost';
    default:
      return bare === listening.host.toLowerCase();
  }
}

/** The addresses of this machine's interfaces, as they are now. */
export const machineAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap((some) => (some ?? []).map(({ address }) => address));
