import { type InstanceProvider, type MachineSpec, type ProvidedMachine, ProviderError } from '../instance-provider.ts';
import { type Pool, type PoolMachine, readPool } from './pool.ts';
import { type Claim, claimOf, join, leave, type RemoteOptions, take, Unavailable } from './remote.ts';
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
}

/** How a machine of the pool stands: whose it is, or why nobody knows. */
export type Standing =
  | { readonly machine: PoolMachine; readonly claim: Claim | undefined }
  | { readonly machine: PoolMachine; readonly trouble: string };

/** Machines that are asked at once. */
const mostAtOnce = 16;

/** Asks every machine of a pool whose it is. */
export async function standings(pool: Pool, options: RemoteOptions): Promise<readonly Standing[]> {
  const found: Standing[] = [];
  const left = [...pool.machines];
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
  return pool.machines.flatMap((machine) => found.find((one) => one.machine === machine) ?? []);
}

/**
 * Machines that are prepared: a launch takes one that is free into service, after waking it where it sleeps, and its end puts it back. Which machine is whose
 * lies on the machine itself, in a file that the first makes: two servers never take the same one. One that does not answer is what it was last, so that
 * a way that is cut ends no machine; once its end was asked for it is as good as ended, and put back when it answers again.
 */
export function sshProvider({ name, file, env, pace = 5_000 }: SshProviderOptions): InstanceProvider {
  /** By the name of the machine. */
  const remembered = new Map<string, Claim>();
  const woken = new Map<string, number>();
  const look = async (pool: Pool, options: RemoteOptions): Promise<readonly Standing[]> => {
    const all = await standings(pool, options);
    return all.map((one) => {
      const { name: of } = one.machine;
      if ('trouble' in one) {
        const claim = remembered.get(of);
        return claim === undefined ? one : { machine: one.machine, claim };
      }
      if (one.claim === undefined) remembered.delete(of);
      else remembered.set(of, one.claim);
      return one;
    });
  };
  return {
    name,
    async launch(spec, signal) {
      const options = { env, signal };
      const pool = await readPool(file);
      const all = await look(pool, options);
      const known = all.find((one) => 'claim' in one && one.claim?.id === spec.id);
      if (known !== undefined) {
        await join(pool, known.machine, spec, options);
        return;
      }
      const chosen = await takeOne(pool, all, spec, { ...options, pace, woken });
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
    async list(owner, signal) {
      const pool = await readPool(file);
      const all = await look(pool, { env, signal });
      return all.flatMap((one): ProvidedMachine[] =>
        'claim' in one && one.claim?.owner === owner ? [{ id: one.claim.id, owner }] : [],
      );
    },
  };
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
