import type { Log } from '@slipway/auth/contract';
import { waitAtMost } from '@slipway/storage/clock';
import { type HeldLease, leadEach, type Leases } from '@slipway/storage/leases';
import { StaleEpoch, transact } from '@slipway/storage/records';

import type { EcsPorts } from '../../cluster/index.ts';
import { newEventId, sameRecord } from '../../state/index.ts';
import type { InstanceProvider } from '../providers/index.ts';
import { sweepActivities } from './activities.ts';
import { applyPlan } from './apply.ts';
import { decide } from './decide.ts';
import { type GroupsPorts, Groups } from './groups.ts';
import { HookTeller, type HookTellerPorts } from './hook-teller.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import type { GroupRecord, MachineRecord } from './records.ts';
import { launchedAs, type RefreshSight } from './refresh.ts';
import { type ProviderList, readSights } from './sight.ts';
import { type Blueprint, blueprintOf, type BlueprintPorts } from './blueprint.ts';
import { isPoolDone } from './warm-pool.ts';
import { Workshop } from './workshop.ts';

/** What groups are kept with. */
export interface KeeperPorts extends GroupsPorts, EcsPorts, BlueprintPorts, HookTellerPorts {
  readonly leases: Leases;
  readonly log: Log;
  readonly providers: readonly InstanceProvider[];
  /** A secret of this installation, at least 16 bytes, the same on every server: the rights to join follow from it. */
  readonly joinKey: Uint8Array;
  /** Which of these alarms are in ALARM. */
  readonly alarmed: (account: string, names: readonly string[]) => Promise<readonly string[]>;
  /** Has the groups of an account follow their schedules and policies, before each look at them. @throws StaleEpoch */
  readonly follow: (account: string, held: HeldLease) => Promise<void>;
  /** Takes away what policies of an account have left that are gone; from time to time. */
  readonly sweep: (account: string) => Promise<void>;
  /** Where machines reach this installation. */
  readonly endpoint: () => string;
}

/** Milliseconds between looks at the groups of an account, and between looks for accounts that have some. */
const pace = 5_000;
const searchPace = 10_000;
/** Between lists of a provider. */
const listPace = 15_000;
/** Between looks for what is told of no longer. */
const sweepPace = 3_600_000;
const retryAfter = 1_000;

/** Keeps the groups of all accounts as they are wanted: of each account on one server at a time. */
export class GroupKeeper {
  readonly #ports: KeeperPorts;

  constructor(ports: KeeperPorts) {
    this.#ports = ports;
  }

  /** Works until the signal aborts; it never rejects. */
  keep(signal: AbortSignal): Promise<void> {
    const { records, leases, clock, log } = this.#ports;
    return leadEach(
      leases,
      {
        records,
        prefix: groupsPartition(''),
        name: groupKeys.keeper,
        clock,
        signal,
        searchPace,
        waiting: (err) => log.warn({ err }, 'Auto Scaling groups wait for the store'),
        interrupted: (err, account) =>
          log.warn({ err, account }, 'Auto Scaling groups could not be kept; it begins anew'),
        retryAfter,
        retryAtMost: 60_000,
      },
      (held, until, account) => new AccountGroups(this.#ports, account, held).run(until),
    );
  }
}

/** One leadership over the groups of an account. */
export class AccountGroups {
  readonly #ports: KeeperPorts;
  readonly #account: string;
  readonly #held: HeldLease;
  readonly #groups: Groups;
  readonly #workshop: Workshop;
  readonly #teller: HookTeller;
  /** What providers listed last, and when. */
  readonly #lists = new Map<string, { readonly at: number; readonly list: ProviderList }>();
  #sweptAt = -Infinity;

  constructor(ports: KeeperPorts, account: string, held: HeldLease) {
    this.#ports = ports;
    this.#account = account;
    this.#held = held;
    this.#groups = new Groups(ports);
    this.#workshop = new Workshop(ports, account, held);
    this.#teller = new HookTeller(ports, account, held);
  }

  async run(over: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    try {
      while (!over.aborted) {
        try {
          await this.look(over);
        } catch (err) {
          if (err instanceof StaleEpoch || over.aborted) throw err;
          log.warn({ err, account: this.#account }, 'cannot keep Auto Scaling groups now; trying again');
        }
        await waitAtMost(pace, () => {}, clock, over);
      }
    } finally {
      await this.idle();
    }
  }

  /** One look at everything: what is wanted is written first, and then carried out. */
  async look(over: AbortSignal): Promise<void> {
    const owner = await this.#owner();
    await this.#follow();
    // What has no record after it was listed was not made a moment ago, but is left from what was ended; what was started before and is
    // not listed is gone.
    const started = (await this.#groups.machines(this.#account)).filter((machine) => machine.started === true);
    const lists = await this.#listAll(owner, started, over);
    const groups = await this.#groups.list(this.#account);
    const machines = await this.#groups.machines(this.#account);
    const sights = await readSights(this.#ports, this.#account, machines, lists);
    for (const group of groups) {
      const own = machines.filter(({ group: of }) => of === group.name);
      const more = await this.#more(group);
      const plan = decide(group, own, sights, this.#ports.clock.now(), more);
      const made = plan.launch.length + plan.prepare.length;
      const others = plan.ask.length + plan.enter.length + plan.end.length + plan.wake.length;
      const goesOn = !sameRecord(plan.refresh, group.refresh) || isPoolDone(group, own);
      if (made + others === 0 && !isDone(group, own) && !goesOn) continue;
      const blueprint = made === 0 ? undefined : await this.#blueprint(group);
      await applyPlan(this.#ports, {
        account: this.#account,
        held: this.#held,
        group: group.name,
        sights,
        blueprint,
        more,
      });
    }
    this.#workshop.endStrays(owner, lists, machines, over);
    const after = await this.#groups.machines(this.#account);
    this.#workshop.begin(owner, groups, after, over);
    this.#teller.begin(groups, after, over);
    const now = this.#ports.clock.monotonic();
    if (now - this.#sweptAt < sweepPace) return;
    this.#sweptAt = now;
    await sweepActivities(this.#ports, this.#account, this.#held);
    await this.#ports.sweep(this.#account);
  }

  /** Has groups follow what they are to; those that cannot are kept as they are wanted meanwhile. @throws StaleEpoch */
  async #follow(): Promise<void> {
    const { follow, log } = this.#ports;
    try {
      await follow(this.#account, this.#held);
    } catch (err) {
      if (err instanceof StaleEpoch) throw err;
      log.warn(
        { err, account: this.#account },
        'Auto Scaling groups cannot follow times and metrics now; trying again',
      );
    }
  }

  /** Waits for what was begun. */
  async idle(): Promise<void> {
    await Promise.all([this.#workshop.idle(), this.#teller.idle()]);
  }

  /** Which alarm of a group's refresh is in ALARM. */
  async #more({ refresh }: GroupRecord): Promise<RefreshSight> {
    const { alarms = [] } = refresh?.preferences ?? {};
    return alarms.length === 0 ? {} : { alarm: (await this.#ports.alarmed(this.#account, alarms))[0] };
  }

  async #blueprint(group: GroupRecord): Promise<Blueprint | Error> {
    try {
      return await blueprintOf(this.#ports, this.#account, launchedAs(group));
    } catch (error) {
      return error as Error;
    }
  }

  async #listAll(
    owner: string,
    machinesStarted: readonly MachineRecord[],
    over: AbortSignal,
  ): Promise<ReadonlyMap<string, ProviderList>> {
    const { clock, log, providers } = this.#ports;
    await Promise.all(
      providers.map(async (provider) => {
        const known = this.#lists.get(provider.name);
        if (known !== undefined && clock.monotonic() - known.at < listPace) return;
        const at = clock.monotonic();
        const own = machinesStarted.filter((machine) => machine.provider === provider.name);
        const started = new Set(own.map(({ id }) => id));
        try {
          const listed = await provider.list(owner, over, started);
          const machines = new Set(listed.filter((machine) => machine.owner === owner).map(({ id }) => id));
          this.#lists.set(provider.name, { at, list: { machines, started } });
        } catch (err) {
          if (over.aborted) throw err;
          this.#lists.set(provider.name, { at, list: { machines: new Set(), started: new Set() } });
          log.warn({ err, provider: provider.name }, 'an instance provider does not say which machines it has');
        }
      }),
    );
    return new Map([...this.#lists].map(([name, { list }]) => [name, list]));
  }

  /** What providers know the machines of this account by. */
  #owner(): Promise<string> {
    return transact(
      this.#ports.records,
      groupsPartition(this.#account),
      async (tx) => {
        const known = await tx.get<string>(groupKeys.owner);
        if (known !== undefined) return known;
        const made = `slipway-${this.#account}-${newEventId(this.#ports.random)}`;
        tx.put(groupKeys.owner, made);
        return made;
      },
      { fence: this.#held },
    );
  }
}

/** Whether a group is to go and has nothing left. */
const isDone = (group: GroupRecord, machines: readonly MachineRecord[]): boolean =>
  group.deleting === true && machines.length === 0;
