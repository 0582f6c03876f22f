import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';

import type { NetworkState } from '../../wire/index.ts';
import { NetworkError, run } from './run.ts';

/** A peer that is reached by WireGuard, with what it has told everybody. */
export type SealedPeer = NetworkState['peers'][number] & { readonly tunnel: string; readonly mtu: number };

/** What WireGuard takes of each packet: outer IPv4, UDP, its own header and the authentication (whitepaper, 5.4.6). */
export const sealedOverhead = 60;

/** Ports that tunnels of agents of one machine listen on, the usual one first. */
const ports = Array.from({ length: 16 }, (_, index) => 51_820 + index);

/** What comes before a key of X25519 in PKCS #8 (RFC 8410). */
const pkcs8 = Buffer.from('302e020100300506032b656e04220420', 'hex');

/**
 * This agent's end of the tunnels to hosts that are no neighbours, where the kernel has WireGuard and `wg` is there. The device is made
 * before others are told of it, and stays until the agent's last task is gone. Its key follows from the agent's own secret and leaves the
 * process for `wg` alone.
 */
export class WireGuard {
  /** No task's link begins so. */
  readonly device: string;
  readonly #key: string;
  readonly #publicKey: string;
  /** Where the device listens, once it was made or found. */
  #port: number | undefined;
  /** Why there was none when that was last asked. */
  #cannot: string | undefined;
  /** What {@link open} last said. */
  #told: string | undefined;

  /** @param prefix of the agent's links. @param secret 32 bytes that no other has */
  constructor(prefix: string, secret: Buffer) {
    this.device = `swg${prefix.slice(3)}`;
    const key = createPrivateKey({ key: Buffer.concat([pkcs8, clamped(secret)]), format: 'der', type: 'pkcs8' });
    this.#key = clamped(secret).toString('base64');
    const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
    this.#publicKey = spki.subarray(spki.length - 32).toString('base64url');
  }

  /** What this host tells others: its public key and its port, `KEY:PORT`; undefined where it has no such tunnel. */
  async open(): Promise<string | undefined> {
    try {
      this.#port = (await this.#listens()) ?? (await this.#make());
      this.#cannot = undefined;
      this.#told = `${this.#publicKey}:${this.#port}`;
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      this.#cannot = error.message;
      this.#told = undefined;
    }
    return this.#told;
  }

  /** What {@link open} last found; costs nothing. */
  get told(): string | undefined {
    return this.#told;
  }

  /** Why there is no tunnel; undefined while that is not known, or there is one. */
  get reason(): string | undefined {
    return this.#cannot;
  }

  /** Has the tunnel let in these peers and no others; one that was there before keeps its session. @throws NetworkError */
  async apply(peers: readonly SealedPeer[]): Promise<void> {
    if (peers.length === 0 && this.#port === undefined) return;
    if ((await this.open()) === undefined) {
      // Nothing is sent through it then.
      if (peers.length === 0) return;
      throw new NetworkError(`there is no tunnel of WireGuard: ${this.#cannot ?? ''}`);
    }
    await this.#set('syncconf', peers);
    const mtu = peers.length === 0 ? [] : ['mtu', String(Math.min(...peers.map((peer) => peer.mtu)))];
    await run('ip', ['link', 'set', this.device, ...mtu, 'up']);
  }

  /** Whether that is so. @throws NetworkError */
  async isApplied(peers: readonly SealedPeer[]): Promise<boolean> {
    if (peers.length === 0) return true;
    if ((await this.#listens()) === undefined) return false;
    const now = (await run('wg', ['show', this.device, 'peers'])).split('\n').filter((key) => key !== '');
    const wanted = peers.map(({ tunnel }) => endOf(tunnel).key);
    return now.toSorted().join() === wanted.toSorted().join();
  }

  /** Takes the device away; nothing where there is none. @throws NetworkError */
  async close(): Promise<void> {
    if (this.#cannot !== undefined && this.#port === undefined) return;
    if (!(await listeners()).has(this.device)) return;
    await run('ip', ['link', 'delete', this.device]);
    this.#port = undefined;
  }

  /** The port of the device; undefined where there is none, or it has none yet. @throws NetworkError where there is no `wg` */
  async #listens(): Promise<number | undefined> {
    return (await listeners()).get(this.device) || undefined;
  }

  async #make(): Promise<number> {
    const found = await listeners();
    const taken = new Set(found.values());
    // Others were told of the one that it had.
    const told = this.#port;
    const port = told ?? ports.find((one) => !taken.has(one));
    if (port === undefined) throw new NetworkError(`every port from ${ports[0]} to ${ports.at(-1)} is in use`);
    // A run that was killed may have made the device, and no more.
    if (!found.has(this.device)) await run('ip', ['link', 'add', this.device, 'type', 'wireguard']);
    try {
      this.#port = port;
      await this.#set('setconf', []);
      await run('ip', ['link', 'set', this.device, 'up']);
    } catch (error) {
      this.#port = told;
      await run('ip', ['link', 'delete', this.device]).catch(() => undefined);
      throw error;
    }
    return port;
  }

  async #set(how: 'setconf' | 'syncconf', peers: readonly SealedPeer[]): Promise<void> {
    const lines = peers.flatMap(({ address, blocks, tunnel }) => {
      const { key, port } = endOf(tunnel);
      // The host itself sends through it too, from its own address.
      const from = [...blocks, `${address}/32`].join(', ');
      return ['[Peer]', `PublicKey = ${key}`, `Endpoint = ${address}:${port}`, `AllowedIPs = ${from}`];
    });
    const own = ['[Interface]', `PrivateKey = ${this.#key}`, `ListenPort = ${this.#port ?? 0}`];
    // It opens its input by a name, which only a pipe has: what this process gives its children is a socket.
    const words = ['-c', 'cat | wg "$1" "$2" /dev/stdin', 'wg', how, this.device];
    await run('sh', words, [...own, ...lines, ''].join('\n'));
  }
}

/** The ports of all tunnels of this machine, by their devices. @throws NetworkError where there is no `wg` */
async function listeners(): Promise<ReadonlyMap<string, number>> {
  const told = (await run('wg', ['show', 'all', 'listen-port'])).split('\n').map((line) => line.split('\t'));
  return new Map(told.flatMap(([name, port]) => (name && port ? [[name, Number(port)] as const] : [])));
}

/** What a host has told of its end; the wire has checked it. */
function endOf(tunnel: string): { readonly key: string; readonly port: number } {
  const [key = '', port = ''] = tunnel.split(':');
  return { key: Buffer.from(key, 'base64url').toString('base64'), port: Number(port) };
}

/** A secret as X25519 takes it (RFC 7748, 5), so that every program shows one and the same key. */
function clamped(secret: Buffer): Buffer {
  const key = createHash('sha256').update(secret).digest();
  key[0] = (key[0] ?? 0) & 248;
  key[31] = ((key[31] ?? 0) & 127) | 64;
  return key;
}
