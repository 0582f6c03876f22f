import { type InstanceProvider, type MachineSpec, type ProvidedMachine, ProviderError } from '../instance-provider.ts';
import { type Pool, type PoolMachine, readPool } from './pool.ts';
import { type Claim, claimOf, join, leave, pause, type RemoteOptions, resume, take, Unavailable } from './remote.ts';
import { Silence } from './silence.ts';
import { canWake, wakeUp } from './wake.ts';

export interface SshProviderOptions {
  /** As groups name it. */
  readonly name: string;
  /** The file that describes the pool; it is read for each request. */
  readonly file: string;
  /** What `ssh` and programs that wake machines find in their environment. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds between looks whether a machine is awake. */
  readonly pace?: number;
  /** Milliseconds that only go forward. */
  readonly monotonic?: () => number;
}

/** How a machine of the pool stands: whose it is, or why nobody knows. */
export type Standing =
  | { readonly machine: PoolMachine; readonly claim: Claim | undefined }
  | { readonly machine: PoolMachine; readonly trouble: string };

/** Machines that are asked at once. */
const mostAtOnce = 16;

/** Asks machines of a pool whose they are: all of them, unless others are named. */
export async function standings(
  pool: Pool,
  options: RemoteOptions,
  asked: readonly PoolMachine[] = pool.machines,
): Promise<readonly Standing[]> {
  const found: Standing[] = [];
  const left = [...asked];
  const ask = async (): Promise<void> => {
    for (let machine = left.shift(); machine !== undefined; machine = left.shift()) {
      try {
        found.push({ machine, claim: await claimOf(pool, machine, options) });
      } catch (error) {
        options.signal.throwIfAborted();
        found.push({ machine, trouble: error instanceof Error ? error.message : String(error) });
      }
    }
  };
  await Promise.all(Array.from({ length: mostAtOnce }, ask));
  return asked.flatMap((machine) => found.find((one) => one.machine === machine) ?? []);
}

/**
 * Machines that are prepared: a launch takes one that is free into service, after waking it where it sleeps, and its end puts it back. Which machine is whose
 * lies on the machine itself, in a file that the first makes: two servers never take the same one. One that does not answer is what it was last, so that
 * a way that is cut ends no machine; once its end was asked for it is as good as ended, and put back when it answers again.
 */
export function sshProvider({
  name,
  file,
  env,
  pace = 5_000,
  monotonic = () => performance.now(),
}: SshProviderOptions): InstanceProvider {
  /** By the name of the machine. */
  const remembered = new Map<string, Claim>();
  const woken = new Map<string, number>();
  const silent = new Silence(monotonic);
  /** @param everybody whether also those are asked that did not answer a moment ago */
  const look = async (pool: Pool, options: RemoteOptions, everybody = false): Promise<readonly Standing[]> => {
    const asked = pool.machines.filter((machine) => everybody || !silent.has(wayTo(machine)));
    const answers = new Map((await standings(pool, options, asked)).map((one) => [one.machine, one]));
    return pool.machines.map((machine) => {
      const { name: of } = machine;
      const one = answers.get(machine) ?? { machine, trouble: silent.whyOf(wayTo(machine)) };
      if ('trouble' in one) {
        if (answers.has(machine)) silent.add(wayTo(machine), one.trouble);
        const claim = remembered.get(of);
        return claim === undefined ? one : { machine, claim };
      }
      silent.remove(wayTo(machine));
      if (one.claim === undefined) remembered.delete(of);
      else remembered.set(of, one.claim);
      return one;
    });
  };
  return {
    name,
    rests: ['Stopped'],
    async launch(spec, signal) {
      const options = { env, signal };
      const pool = await readPool(file);
      const skipped = pool.machines.filter((machine) => silent.has(wayTo(machine)));
      const all = await look(pool, options);
      const known = all.find((one) => 'claim' in one && one.claim?.id === spec.id);
      if (known !== undefined) {
        await join(pool, known.machine, spec, options);
        return;
      }
      const waking = { ...options, pace, woken };
      const chosen = await takeOne(pool, all, spec, waking).catch(async (error: unknown) => {
        signal.throwIfAborted();
        if (!(error instanceof ProviderError) || skipped.length === 0) throw error;
        // Before it fails, those are asked that were silent a moment ago.
        const free = (await look(pool, options, true)).filter((one) => 'claim' in one && one.claim === undefined);
        if (free.length === 0) throw error;
        return takeOne(pool, free, spec, waking);
      });
      await join(pool, chosen, spec, options);
    },
    async terminate(id, owner, signal) {
      const pool = await readPool(file);
      const options = { env, signal };
      for (const { machine, ...one } of await look(pool, options)) {
        if (!('claim' in one) || one.claim?.id !== id || one.claim.owner !== owner) continue;
        try {
          await leave(pool, machine, { id, owner }, options);
        } catch (error) {
          // Nobody can say more to it now.
          if (!(error instanceof Unavailable)) throw error;
        }
        remembered.delete(machine.name);
      }
    },
    async stop(id, owner, _rest, signal) {
      const pool = await readPool(file);
      const options = { env, signal };
      const all = await look(pool, options);
      const found = all.find((one) => isOf(one, id, owner))?.machine;
      // Who was killed after it went to sleep, asks again: it says no more whose it is.
      if (found === undefined && all.some((one) => 'trouble' in one && one.machine.sleep !== undefined)) return;
      if (found === undefined) throw new ProviderError(`no machine of the pool is ${id}`);
      try {
        await pause(pool, found, { id, owner }, options);
      } catch (error) {
        if (found.sleep === undefined || !(error instanceof Unavailable) || error.why !== 'silent') throw error;
      }
    },
    async start(id, owner, signal) {
      const pool = await readPool(file);
      const options = { env, signal };
      const machine = await find(pool, await look(pool, options, true), { id, owner }, { ...options, pace });
      if (machine === undefined) throw new ProviderError(`no machine of the pool is ${id}`);
      remembered.set(machine.name, { id, owner });
      silent.remove(wayTo(machine));
      await resume(pool, machine, { id, owner }, options);
    },
    async list(owner, signal, expected = new Set()) {
      const pool = await readPool(file);
      const all = await look(pool, { env, signal });
      const found = all.flatMap((one): ProvidedMachine[] =>
        'claim' in one && one.claim?.owner === owner ? [{ id: one.claim.id, owner }] : [],
      );
      // One that does not answer, and of which nobody remembers whose it is, may be any of them.
      if (!all.some((one) => 'trouble' in one)) return found;
      const named = new Set(found.map(({ id }) => id));
      return [...found, ...[...expected].filter((id) => !named.has(id)).map((id) => ({ id, owner }))];
    },
  };
}

/** How a machine is reached: one whose entry is corrected is asked at once. */
const wayTo = ({ name, host, port }: PoolMachine): string => `${name} ${host} ${port}`;

const isOf = (one: Standing, id: string, owner: string): boolean =>
  'claim' in one && one.claim?.id === id && one.claim.owner === owner;

/** Finds a machine that was put to sleep, awake. Where nobody remembers which it was, those that sleep are woken until it is found. @throws ProviderError */
async function find(
  pool: Pool,
  all: readonly Standing[],
  { id, owner }: Claim,
  options: Omit<Waking, 'woken'>,
): Promise<PoolMachine | undefined> {
  const known = all.filter((one) => isOf(one, id, owner));
  const others = all.filter((one) => 'trouble' in one && canWake(one.machine));
  for (const { machine } of known.length > 0 ? known : others) {
    try {
      const answers = await claimOf(pool, machine, options).catch(() => undefined);
      if (answers === undefined) await awaken(pool, machine, options);
      const claim = answers ?? (await claimOf(pool, machine, options));
      if (claim?.id === id && claim.owner === owner) return machine;
    } catch (error) {
      options.signal.throwIfAborted();
      if (known.length > 0 || !(error instanceof ProviderError)) throw error;
    }
  }
  return undefined;
}

interface Waking extends RemoteOptions {
  /** Milliseconds. */
  readonly pace: number;
  /** In which turn each machine was woken last, by its name. */
  readonly woken: Map<string, number>;
}

/**
 * Takes a machine of the pool that is free: one that answers first, then those that can be woken. Of these the one that was woken longest ago is
 * first: nobody waits for it just now, nor did it fail to wake a moment ago.
 * @throws ProviderError when there is none
 */
async function takeOne(pool: Pool, all: readonly Standing[], spec: MachineSpec, options: Waking): Promise<PoolMachine> {
  const { woken, signal } = options;
  const fitting = all.filter(({ machine: { zone, types } }) => {
    const isThere = zone === undefined || zone === spec.zone;
    return isThere && (types === undefined || types.includes(spec.instanceType));
  });
  const free = fitting.filter((one) => 'claim' in one && one.claim === undefined);
  const asleep = fitting.filter((one) => 'trouble' in one && canWake(one.machine));
  const troubles = fitting.flatMap((one) => ('trouble' in one && !canWake(one.machine) ? [one.trouble] : []));
  const inUse = fitting.length - free.length - asleep.length - troubles.length;
  const turnOf = ({ machine }: Standing): number => woken.get(machine.name) ?? 0;
  const next = (): Standing | undefined => free.shift() ?? asleep.sort((a, b) => turnOf(a) - turnOf(b)).shift();
  for (let one = next(); one !== undefined; one = next()) {
    const { machine } = one;
    try {
      if ('trouble' in one) {
        woken.set(machine.name, Math.max(0, ...woken.values()) + 1);
        await awaken(pool, machine, options);
      }
      await take(pool, machine, spec, options);
      return machine;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ProviderError)) throw error;
      troubles.push(error.message);
    }
  }
  throw new ProviderError(
    fitting.length === 0
      ? `No machine of the pool is of the zone ${spec.zone} and the type ${spec.instanceType}.`
      : `No machine of the pool is free: ${inUse} of ${fitting.length} are in use${troubles.length === 0 ? '' : `; ${troubles.join('; ')}`}`.slice(
          0,
          500,
        ),
  );
}

/** Wakes a machine, and waits until it answers. @throws ProviderError */
async function awaken(pool: Pool, machine: PoolMachine, { env, signal, pace }: Omit<Waking, 'woken'>): Promise<void> {
  const until = performance.now() + pool.wakeWithin * 1000;
  try {
    await wakeUp(machine, { env, signal, timeout: pool.commandWithin * 1000 });
  } catch (error) {
    throw new ProviderError(`${machine.name} cannot be woken: ${(error as Error).message}`);
  }
  for (;;) {
    try {
      await claimOf(pool, machine, { env, signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() > until)
        throw new ProviderError(
          `${machine.name} did not wake within ${pool.wakeWithin} seconds: ${(error as Error).message}`,
        );
    }
    await new Promise((resolve) => setTimeout(resolve, pace));
  }
}
