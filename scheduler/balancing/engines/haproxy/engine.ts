import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DesiredState, isHttp, type Listener } from '../../../routing/index.ts';
import { tryBinding } from '../binding.ts';
import {
  type Applied,
  type BindResult,
  type Codes,
  EngineError,
  type Observation,
  type TrafficEngine,
} from '../contract.ts';
import { highestCodes, noCodes } from '../counts.ts';
import { parseDesiredState } from '../parse.ts';
import { type Configuration, configure, type ProcessOptions } from './configure.ts';
import { emptyLedger, type Ledger, readLedger, writeLedger } from './ledger.ts';
import { parseMap, parseServers, stepsTo } from './live.ts';
import { observationOf } from './observe.ts';
import { checkProgram, haproxyProcess } from './process.ts';
import {
  addStatistics,
  finished,
  latencyTable,
  parseLatencies,
  parseStatistics,
  type WorkerStatistics,
} from './statistics.ts';
import { nameOf } from './words.ts';

export interface HaproxyOptions extends Pick<ProcessOptions, 'user' | 'hardStopAfter'> {
  /** Of this engine alone; what lies there is how the next server finds it. */
  readonly folder: string;
  /** The program, 2.6 or newer. */
  readonly program: string;
}

/** Replies that are no objection. */
const agreeable = new Set(['', 'New server registered.', 'Server deleted.']);
/** Servers of a worker that are still to be removed. */
interface Departing {
  readonly worker: number;
  readonly paths: readonly string[];
}
const nobody: Departing = { worker: 0, paths: [] };
/** How often an address is tried that is still being let go of, and the pause between, in milliseconds. */
const attempts = 20;
const pause = 25;
/** What fits into the buffer of a run-time command, in bytes. */
const longestPayload = 60_000;

/**
 * HAProxy as a traffic engine. A process that already works from the folder is adopted. Targets, weights and certificates change while it
 * runs; listeners, rules and attributes by a reload, whose old worker counts as serving until it is gone: it cannot be told anything.
 * One driver at a time: it writes into the folder what the next one must know.
 */
export async function openHaproxy(options: HaproxyOptions): Promise<TrafficEngine> {
  await checkProgram(options.program);
  const haproxy = haproxyProcess(options);
  const { commands } = haproxy;
  const ledgerPath = join(options.folder, 'ledger.json');
  const running = await haproxy.processes();
  let ledger: Ledger = (running === undefined ? undefined : await readLedger(ledgerPath)) ?? emptyLedger;
  let gone: WorkerStatistics = addStatistics([]);
  let seen = new Map<number, WorkerStatistics>();
  let told = new Map<string, Codes>();
  let departing: Departing = nobody;
  let queue: Promise<unknown> = Promise.resolve();

  /** One thing after the other, whether the one before succeeded or not. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = queue.then(work, work);
    queue = turn.catch(() => undefined);
    return turn;
  }

  async function apply(given: DesiredState): Promise<Applied> {
    const state = parseDesiredState(given);
    if (state.generation < ledger.generation) return applied();
    const processes = await haproxy.processes();
    const results = await bindAll(state.listeners, processes !== undefined);
    const isBound = (listener: Listener): boolean => results.get(listener.id)?.bound === true;
    const bound = { ...state, listeners: state.listeners.filter(isBound) };
    const configuration = configure(bound, options);
    const structure = digest(
      [configuration.structure, ...[...configuration.files].filter(([path]) => !path.endsWith('.pem')).flat()].join(
        '\n',
      ),
    );
    const certificates = Object.fromEntries(
      [...configuration.files]
        .filter(([path]) => path.endsWith('.pem'))
        .map(([path, content]) => [path, digest(content)]),
    );
    const worker = processes?.workers.find(({ leaving }) => !leaving)?.pid;
    const inPlace =
      worker !== undefined && structure === ledger.structure && sameNames(certificates, ledger.certificates);
    const left = Object.fromEntries(
      (processes?.workers ?? []).filter(({ leaving }) => leaving).map(({ pid }) => [pid, ledger.left[pid] ?? 0]),
    );
    if (!inPlace || !(await change(worker, configuration, certificates))) {
      // Written before the reload: whoever takes over in the midst of it must not take the old worker for gone.
      if (worker !== undefined) left[worker] = ledger.generation;
      // Nor may it take the old structure for what runs.
      await save({ ...ledger, left, structure: '' });
      // A worker that leaves is told nothing: who was to go may be wanted again.
      departing = nobody;
      await haproxy.load(configuration);
    }
    await save({ ...describe(state, results, configuration), structure, certificates, left });
    return applied();
  }

  async function save(next: Ledger): Promise<void> {
    await writeLedger(ledgerPath, next);
    ledger = next;
  }

  function applied(): Applied {
    return {
      generation: ledger.generation,
      listeners: new Map(ledger.listeners.map((one) => [one.id, resultOf(one)])),
    };
  }

  /** Tries every address and port that the engine does not have already. */
  async function bindAll(listeners: readonly Listener[], isRunning: boolean): Promise<ReadonlyMap<string, BindResult>> {
    const held = new Set(ledger.listeners.filter(({ reason }) => reason === undefined).map(placeOf));
    const results = await Promise.all(
      listeners.map(async (listener): Promise<[string, BindResult]> => {
        if (!held.has(placeOf(listener))) return [listener.id, await tryBinding(listener.address, listener.port)];
        return [listener.id, isRunning ? { bound: true } : await bindAgain(listener)];
      }),
    );
    return new Map(results);
  }

  /** A process of ours that ended a moment ago may still be letting go of its sockets. */
  async function bindAgain({ address, port }: Listener): Promise<BindResult> {
    for (let i = 1; i < attempts; i++) {
      const result = await tryBinding(address, port);
      if (result.bound) return result;
      await sleep(pause);
    }
    return tryBinding(address, port);
  }

  /** Brings a worker to the configuration while it runs; false where it objects, so that a reload has to do it. */
  async function change(
    worker: number,
    wanted: Configuration,
    certificates: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    const names = [...wanted.maps.keys()];
    const [servers = '', ...maps] = await commands.run(worker, [
      'show servers state',
      ...names.map((name) => `show map ${wanted.mapPath(name)}`),
    ]);
    const live = {
      servers: parseServers(servers),
      maps: new Map(names.map((name, i) => [name, parseMap(maps[i] ?? '')])),
    };
    const { change, remove } = stepsTo(wanted, live);
    departing = nobody;
    const replies = await commands.run(worker, change);
    if (!replies.every((reply) => agreeable.has(reply))) return false;
    const renewed = [...wanted.files].filter(([path]) => certificates[path] !== ledger.certificates[path]);
    for (const [path, content] of renewed) if (!(await renew(worker, path, content))) return false;
    departing = { worker, paths: remove };
    return true;
  }

  /** Replaces a certificate for new connections, also in its file: a reload must not bring the old one back. */
  async function renew(worker: number, path: string, content: string): Promise<boolean> {
    if (content.length > longestPayload) return false;
    await haproxy.write(path, content);
    const name = join(options.folder, path);
    const reply = await commands.send(worker, `set ssl cert ${name}`, content);
    const [committed = ''] = await commands.run(worker, [`commit ssl cert ${name}`]);
    return reply.includes('Transaction') && committed.includes('Success');
  }

  /**
   * Cuts what servers still carry and removes them. They are out of rotation and keep nobody waiting: one that does not let go yet is tried
   * again whenever the engine is looked at, until the next state says anew which are to go.
   */
  async function removeServers(): Promise<void> {
    const { worker, paths } = departing;
    const rest: string[] = [];
    for (const path of paths) {
      await commands.run(worker, [`shutdown sessions server ${path}`]);
      const [reply = ''] = await commands.run(worker, [`del server ${path}`]);
      if (!agreeable.has(reply)) rest.push(path);
      else await commands.run(worker, [`clear table ${latencyTable} key ${path.slice(path.indexOf('/') + 1)}`]);
    }
    departing = { worker, paths: rest };
  }

  async function observe(): Promise<Observation> {
    const processes = await haproxy.processes();
    if (processes === undefined) throw new EngineError('HAProxy does not run: apply a state to start it');
    const now = new Map<number, WorkerStatistics>();
    for (const { pid } of processes.workers) {
      const [text = '', table = ''] = await commands
        .run(pid, ['show stat', `show table ${latencyTable}`])
        .catch(() => []);
      if (text === '') continue;
      const latencies = parseLatencies(table, seen.get(pid)?.latencies ?? new Map());
      now.set(pid, { ...parseStatistics(text), latencies });
    }
    if (processes.workers.some(({ pid, leaving }) => pid === departing.worker && !leaving)) await removeServers();
    for (const [pid, counts] of seen) if (!now.has(pid)) gone = addStatistics([gone, finished(counts)]);
    seen = now;
    const serving = processes.workers.map(({ pid, leaving }) =>
      leaving ? (ledger.left[pid] ?? 0) : ledger.generation,
    );
    const observed = observationOf(
      ledger,
      Math.min(ledger.generation, ...serving),
      addStatistics([gone, ...now.values()]),
    );
    // They are a difference, which falls when targets answer what came by another load balancer's listener: a reader would take that for a
    // beginning anew.
    const loadBalancers = observed.loadBalancers.map(({ id, engineCodes }) => ({
      id,
      engineCodes: highestCodes(engineCodes, told.get(id) ?? noCodes),
    }));
    told = new Map(loadBalancers.map(({ id, engineCodes }) => [id, engineCodes]));
    return { ...observed, loadBalancers };
  }

  return {
    kind: 'haproxy',
    apply(desired) {
      const applied = inTurn(() => apply(desired));
      // Whatever asks for something next finds it done; what fails is tried again.
      void inTurn(removeServers).catch(() => undefined);
      return applied;
    },
    observe: () => inTurn(observe),
    close: () => inTurn(async () => undefined),
    stop: () =>
      inTurn(async () => {
        await haproxy.stop();
        ledger = emptyLedger;
      }),
  };
}

function describe(
  state: DesiredState,
  results: ReadonlyMap<string, BindResult>,
  { backends }: Configuration,
): Pick<Ledger, 'generation' | 'listeners' | 'servers'> {
  const owners = new Map<string, string>();
  for (const listener of state.listeners) {
    const actions = [listener.defaultAction, ...(isHttp(listener) ? listener.rules.map(({ action }) => action) : [])];
    for (const action of actions) {
      if (action.kind !== 'forward') continue;
      // A group is one load balancer's. Who else leads there, by its names, stands behind it.
      for (const { id } of action.targetGroups) if (!owners.has(id)) owners.set(id, listener.loadBalancerId);
    }
  }
  return {
    generation: state.generation,
    listeners: state.listeners.map(({ id, loadBalancerId, address, port }) => {
      const result = results.get(id)!;
      return {
        id,
        loadBalancerId,
        name: nameOf('l', id),
        address,
        port,
        ...(result.bound ? {} : { reason: result.reason }),
      };
    }),
    servers: backends.flatMap(({ name, targetGroupId, servers }) =>
      servers.map((server) => ({
        path: `${name}/${server.name}`,
        targetGroupId,
        registrationId: server.registrationId,
        ...(owners.has(targetGroupId) ? { loadBalancerId: owners.get(targetGroupId)! } : {}),
      })),
    ),
  };
}

function resultOf({ reason }: Ledger['listeners'][number]): BindResult {
  return reason === undefined ? { bound: true } : { bound: false, reason };
}

function placeOf({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address} ${port}`;
}

function sameNames(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  return Object.keys(a).sort().join() === Object.keys(b).sort().join();
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
