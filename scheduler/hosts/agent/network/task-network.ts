import { readFile, writeFile } from 'node:fs/promises';

import type { Log } from '@slipway/auth/contract';

import type { NetworkState } from '../../wire/index.ts';
import { FirewallError } from '../iptables.ts';
import { type Attachment, linkOf, metricOf, prefixOf } from './attachment.ts';
import { Forwarding, removeForwarding, sweepForwarding } from './forwarding.ts';
import { beginLink, finishLink, listLinks, removeLink } from './links.ts';
import { applyScript, changeScript, type FilterTable, hasRules, removeTable, tableScript } from './filter-table.ts';
import { type FilterHost, type FilterState, filterTable, tableOf } from './packet-filter.ts';
import { addressConflict, peerConflict } from './others.ts';
import { applyPeers, arePeersApplied, linkMtus, ownAddress, uplinkOf, wayTo } from './peers.ts';
import type { TaskNetworkPort } from './port.ts';
import { NetworkError, run } from './run.ts';
import { type SealedPeer, WireGuard } from './wireguard.ts';

export interface TaskNetworkOptions {
  /** Names this agent's links, rules and routes among others'. */
  readonly agentId: string;
  /** What the key of encrypted tunnels is made of; without one there are none. */
  readonly tunnelSecret?: Buffer | undefined;
  /** Where the credentials endpoint listens, which every task may reach. */
  readonly endpointPort: number;
  /** Ranges of the Docker engine's own networks. */
  readonly engineNetworks: () => Promise<readonly string[]>;
  /** Servers of names that tasks are given. */
  readonly nameServers: () => Promise<readonly string[]>;
  readonly log: Log;
}

const empty: FilterState = { blocks: [], groups: [], members: {}, peers: [] };

/**
 * The network of this host's tasks that have addresses of their own: their links, the packet filter that enforces their
 * security groups, and the ways to the tasks of other hosts. One change is made at a time; each call resolves when what it asks
 * for is in effect. Nothing is remembered beyond the process: what stands on the host is found there, and stays until the first
 * state comes.
 */
export class TaskNetwork implements TaskNetworkPort {
  readonly #options: TaskNetworkOptions;
  readonly #prefix: string;
  /** Tells its routes from those of other agents of this host. */
  readonly #metric: number;
  readonly #attachments = new Map<string, Attachment>();
  /** What goes on, or went on, before an interface's link is made, by its id; gives the size of its packets. */
  readonly #preparing = new Map<string, Promise<number>>();
  #state: FilterState = empty;
  #lane: Promise<unknown> = Promise.resolve();
  #filter: Promise<void> | undefined;
  #isKnown = false;
  /** What the packet filter is made with; {@link TaskNetwork.reason} follows what changes. */
  #host: FilterHost | undefined;
  /** The packet filter as it stands; undefined while it may not be what is known here. */
  #applied: FilterTable | undefined;
  /** Whether somebody else has taken the table, or its rules, away. */
  #isLost = false;
  #peers: NetworkState['peers'] = [];
  /** The ways to them as they were last set up; those out of reach are not among them. */
  #ways: Parameters<typeof applyPeers>[0] = [];
  #own = '';
  /** The end of this host's tunnel as its peers know it. */
  #end: string | undefined;
  /** What it was when this host last said so. */
  #said: string | undefined;
  /** Why there is none, as it was last told. */
  #untold: string | undefined;
  readonly #wireguard: WireGuard | undefined;
  readonly #forwarding: Forwarding;
  /** Whether the host's programs and its kernel have once done what is asked of them. */
  #isAble = false;
  /** Whether the ways are those of {@link TaskNetwork.#peers}. */
  #isConnected = true;
  /** Why tasks of peers cannot be reached for other agents of this host. */
  #conflict: string | undefined;
  /** What {@link TaskNetwork.#mtu} last told. */
  #told = '';
  /** Resolved with the first state: until then nothing is known that the packet filter could be made of. */
  readonly #known = Promise.withResolvers<void>();

  constructor(options: TaskNetworkOptions) {
    this.#options = options;
    this.#prefix = prefixOf(options.agentId);
    this.#metric = metricOf(this.#prefix);
    this.#forwarding = new Forwarding(this.#prefix);
    const { tunnelSecret } = options;
    this.#wireguard = tunnelSecret && new WireGuard(this.#prefix, tunnelSecret);
  }

  get linkPrefix(): string {
    return this.#prefix;
  }

  /**
   * Why this host cannot give tasks addresses of their own; undefined when it can. Lets packets be forwarded, also by rules that
   * somebody else's restart may take away: call it now and then.
   */
  async reason(): Promise<string | undefined> {
    if (process.platform !== 'linux') return 'tasks get network interfaces of their own on Linux only';
    if (process.geteuid?.() !== 0) return 'the agent does not run as root';
    try {
      if (!this.#isAble) await this.#try();
      const forwarding = '/proc/sys/net/ipv4/ip_forward';
      await this.#forwarding.ensure();
      if ((await readFile(forwarding, 'utf8')).trim() !== '1') await writeFile(forwarding, '1');
      await this.#heal();
      return this.#conflict;
    } catch (error) {
      return error instanceof NetworkError || error instanceof FirewallError
        ? error.message
        : `packets are not forwarded: ${(error as Error).message}`;
    }
  }

  /** What a host that lacks a program, or a kernel, does not do; one that did it once says later what fails. */
  async #try(): Promise<void> {
    await run('nsenter', ['--version']);
    await run('ip', ['-json', 'link', 'show', 'lo']);
    const host = { endpointPort: 1, engineNetworks: [], nameServers: [] };
    await run('nft', ['-c', '-f', '-'], tableScript(filterTable(this.#prefix, [], empty, host)));
    this.#isAble = true;
  }

  /** The address that the host's way to everybody else begins with. */
  address(): Promise<string | undefined> {
    return ownAddress().catch(() => undefined);
  }

  get isTold(): boolean {
    return this.#said === this.#wireguard?.told;
  }

  tunnel(): Promise<string | undefined> {
    return this.#enqueue(async () => {
      const told = (this.#said = await this.#wireguard?.open());
      const reason = this.#wireguard?.reason;
      if (reason !== undefined && reason !== this.#untold)
        this.#options.log.info({ reason }, 'no WireGuard to other hosts');
      this.#untold = reason;
      return told;
    });
  }

  /** Takes the state of the network over. @throws NetworkError; what was in effect before then stays until {@link reason} mends it */
  async apply(state: NetworkState): Promise<void> {
    const { peers, address, tunnel } = state;
    const isMoved =
      !this.#isKnown ||
      JSON.stringify([peers, address, tunnel]) !== JSON.stringify([this.#peers, this.#own, this.#end]);
    this.#state = state;
    this.#peers = peers;
    this.#own = address;
    this.#end = tunnel;
    this.#isKnown = true;
    this.#known.resolve();
    try {
      await this.#refresh();
    } catch (error) {
      // The ways are those of before still, also when the same state comes again.
      this.#isConnected &&= !isMoved;
      throw error;
    }
    if (isMoved || !this.#isConnected) await this.#connect();
  }

  /**
   * Begins what an interface needs before there is a process that it is for: its rules, and a look at who else has its address. It goes
   * on while the engine makes that process. What comes of it {@link attach} says.
   */
  prepare(attachment: Attachment): void {
    // One that is never attached needs none of it.
    this.#prepared(attachment).catch(() => undefined);
  }

  #prepared(attachment: Attachment): Promise<number> {
    const begun = this.#preparing.get(attachment.id);
    if (begun !== undefined) return begun;
    const over = (): boolean => this.#preparing.get(attachment.id) !== preparing;
    const preparing = this.#prepare(attachment, over);
    this.#preparing.set(attachment.id, preparing);
    return preparing;
  }

  /** @param over whether it was detached meanwhile */
  async #prepare(attachment: Attachment, over: () => boolean): Promise<number> {
    await this.#known.promise;
    if (over()) throw new NetworkError(`the interface ${attachment.id} was given up before it was made`);
    // Two tasks with one address would each take the other's traffic. The control plane gives none away before its task is gone.
    const other = [...this.#attachments.values()].find(
      ({ id, address }) => address === attachment.address && id !== attachment.id,
    );
    if (other !== undefined) throw new NetworkError(`the address ${other.address} is still that of ${other.id}`);
    this.#attachments.set(attachment.id, attachment);
    await this.#refresh();
    return this.#enqueue(async () => {
      const [conflict, mtu] = await Promise.all([
        addressConflict(attachment.address, this.#prefix, this.#metric),
        linkMtus().then((mtus) => this.#mtu(mtus)),
      ]);
      if (conflict !== undefined) throw new NetworkError(conflict);
      return mtu;
    });
  }

  /**
   * Gives a process's network namespace the interface of a task, once the state of the network is known. Its rules stand before
   * a packet can pass.
   *
   * @param pid of the task's pause container
   * @throws NetworkError
   */
  async attach(attachment: Attachment, pid: number): Promise<void> {
    const preparing = this.#prepared(attachment);
    try {
      const mtu = await preparing;
      await this.#enqueue(async () => {
        const isNew = await beginLink(this.#prefix, attachment, pid, mtu);
        // Without links it may have counted as gone.
        await Promise.all([isNew && finishLink(this.#prefix, attachment, pid), this.#forwarding.ensure()]);
      });
    } finally {
      // The next attempt looks anew.
      if (this.#preparing.get(attachment.id) === preparing) this.#preparing.delete(attachment.id);
    }
  }

  /** Takes a task's interface away with everything that was made for it; any number of times. @throws NetworkError */
  async detach(id: string): Promise<void> {
    this.#preparing.delete(id);
    await this.#enqueue(() => removeLink(linkOf(this.#prefix, id)));
    // What an earlier run wrote stands until the first state comes.
    if (this.#attachments.delete(id) && this.#isKnown) await this.#refresh();
  }

  /** Knows an attachment of an earlier run again, whose link may stand. */
  adopt(attachment: Attachment): void {
    this.#attachments.set(attachment.id, attachment);
  }

  /** Removes links of tasks that are none of these and not attached here: what a run that was killed left; and rules of agents that are gone. @throws NetworkError */
  async sweep(): Promise<number> {
    return this.#enqueue(async () => {
      const known = new Set([...this.#attachments.keys()].map((id) => linkOf(this.#prefix, id)));
      const stray = (await listLinks(this.#prefix)).filter(({ name }) => !known.has(name));
      for (const { name } of stray) await removeLink(name);
      await this.#sweepRules();
      return stray.length;
    });
  }

  /** Takes away what stands on the host for this agent as a whole, when none of its tasks is left. @throws NetworkError */
  async close(): Promise<void> {
    await this.#lane;
    if (this.#attachments.size > 0) return;
    await this.#enqueue(async () => {
      await removeTable(tableOf(this.#prefix));
      this.#applied = undefined;
      await removeForwarding(this.#prefix);
      await this.#sweepRules();
      await applyPeers([], '0.0.0.0', this.#metric);
      await this.#wireguard?.close();
    });
  }

  /** What others have left is in nobody's way: it waits for the next time. */
  async #sweepRules(): Promise<void> {
    await sweepForwarding(this.#prefix).catch((err: unknown) => {
      this.#options.log.warn({ err }, 'rules of agents that are gone cannot be taken away');
    });
  }

  /** Makes the ways to the other hosts. */
  #connect(): Promise<void> {
    return this.#enqueue(async () => {
      this.#isConnected = false;
      // One that this host has no route to is out of reach; that must not cost the ways to the others.
      const mtus = await linkMtus();
      // Both must know of each other's end: what only one of them sends through it, the other does not take.
      const sealed = this.#end !== undefined && (await this.#wireguard?.open()) === this.#end;
      const ways = await Promise.all(
        this.#peers.map(async (peer) => {
          const device = sealed && peer.tunnel !== undefined ? this.#wireguard?.device : undefined;
          const way = await wayTo(peer.address, mtus, device).catch(() => undefined);
          return way === undefined ? [] : [{ ...peer, ...way }];
        }),
      );
      const conflict = await peerConflict(
        ways.flat().filter(({ way }) => way !== 'here'),
        this.#prefix,
      );
      this.#conflict = conflict?.reason;
      this.#ways = ways.flat().map((peer) => ({
        ...peer,
        blocks: peer.blocks.filter((block) => peer.way === 'here' || conflict?.isTaken(block) !== true),
      }));
      await this.#wireguard?.apply(this.#sealed());
      await applyPeers(this.#ways, this.#own, this.#metric);
      this.#isConnected = true;
      await this.#mtu(mtus);
    });
  }

  /**
   * Bytes of a packet that a new task's interface takes: what goes through to every peer as this host reaches it, and to everybody
   * else. Those that stand keep theirs; the kernel tells who sends more over a way that takes less (RFC 1191). Says so when it changes:
   * it is what to look at where large packets are lost.
   */
  async #mtu(mtus: Awaited<ReturnType<typeof linkMtus>>): Promise<number> {
    const { device: uplink = 'none', mtu: uplinkMtu } = await uplinkOf(mtus);
    const mtu = Math.min(uplinkMtu, ...this.#ways.map((way) => way.mtu));
    const text = JSON.stringify({ uplink, uplinkMtu, mtu });
    if (text !== this.#told) this.#options.log.info({ uplink, uplinkMtu, mtu }, 'size of packets of new tasks');
    this.#told = text;
    return mtu;
  }

  /** Puts back what others have cleared of the host's rules and routes, and follows what the host itself has changed. */
  async #heal(): Promise<void> {
    if (!this.#isKnown) return;
    const host = await this.#facts();
    this.#isLost ||= !(await hasRules(tableOf(this.#prefix), 'forwarded'));
    if (this.#isLost || this.#applied === undefined || JSON.stringify(host) !== JSON.stringify(this.#host)) {
      this.#host = host;
      await this.#refresh();
    }
    const isWhole = this.#isConnected && this.#ways.length === this.#peers.length;
    const isMended =
      isWhole &&
      this.#conflict === undefined &&
      (await arePeersApplied(this.#ways, this.#metric)) &&
      (await this.#wireguard?.isApplied(this.#sealed())) !== false;
    if (!isMended) await this.#connect();
  }

  /** Those of {@link TaskNetwork.#ways} that are reached by WireGuard. */
  #sealed(): SealedPeer[] {
    return this.#ways.flatMap(({ tunnel, way, ...peer }) =>
      way === 'wireguard' && tunnel !== undefined ? [{ ...peer, tunnel }] : [],
    );
  }

  async #facts(): Promise<FilterHost> {
    const { endpointPort, engineNetworks, nameServers } = this.#options;
    const [networks, servers] = await Promise.all([engineNetworks(), nameServers()]);
    return { endpointPort, engineNetworks: networks, nameServers: servers };
  }

  /** Makes the packet filter what is known now. Calls that come while one waits for its turn share it. */
  #refresh(): Promise<void> {
    this.#filter ??= this.#enqueue(async () => {
      this.#filter = undefined;
      this.#host ??= await this.#facts();
      const table = filterTable(this.#prefix, [...this.#attachments.values()], this.#state, this.#host);
      const before = this.#isLost ? undefined : this.#applied;
      this.#applied = undefined;
      this.#isLost = false;
      if (before === undefined || !(await this.#change(before, table))) await applyScript(tableScript(table));
      this.#applied = table;
    });
    return this.#filter;
  }

  /** @returns whether the table is the new one: one that somebody else has changed meanwhile is written anew */
  async #change(before: FilterTable, after: FilterTable): Promise<boolean> {
    const script = changeScript(before, after);
    if (script === undefined) return true;
    try {
      await applyScript(script);
      return true;
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      this.#options.log.info({ reason: error.message }, "the tasks' packet filter is written anew");
      return false;
    }
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#lane.then(work);
    this.#lane = done.catch(() => undefined);
    return done;
  }
}
