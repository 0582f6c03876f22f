import { tellWebhook, webhookOf, type WebhookPorts } from '@slipway/auth/outbound';
import type { Sealer } from '@slipway/auth/tokens';
import { type HeldLease } from '@slipway/storage/leases';
import { StaleEpoch, transact } from '@slipway/storage/records';

import { newEventId, toJson, webhookSecret } from '../../state/index.ts';
import { pauseAfter } from './decide.ts';
import type { GroupsPorts } from './groups.ts';
import type { KeeperPorts } from './keeper.ts';
import { groupKeys, groupsPartition } from './keys.ts';
import { resultOf, transitionOf } from './lifecycle.ts';
import type { GroupRecord, HookRecord, HookWait, MachineRecord, Transition } from './records.ts';

export interface HookTellerPorts extends WebhookPorts {
  readonly sealer: Sealer;
}

/** Webhooks of an account that are told at the same time. */
const mostCalls = 16;

/**
 * What the calls of a group's webhooks are signed with: see {@link webhookSecret}. They belong to the group's name, so that a receiver can be set up
 * first.
 */
export function groupSecret(
  ports: GroupsPorts & Pick<HookTellerPorts, 'sealer'>,
  account: string,
  group: string,
  renew = false,
): Promise<string> {
  const place = {
    partition: groupsPartition(account),
    key: groupKeys.secret(group),
    purpose: `webhooks of group ${account}/${group}`,
  };
  return webhookSecret(ports, place, renew);
}

/** The name of a transition in the API. */
export const transitionNames: Readonly<Record<Transition, string>> = {
  launching: 'autoscaling:EC2_INSTANCE_LAUNCHING',
  terminating: 'autoscaling:EC2_INSTANCE_TERMINATING',
};

/** Tells the webhooks of lifecycle hooks of machines that wait for them: at least once each. */
export class HookTeller {
  readonly #ports: KeeperPorts;
  readonly #account: string;
  readonly #held: HeldLease;
  /** By the token of the action. */
  readonly #busy = new Map<string, Promise<void>>();
  readonly #failed = new Map<string, { readonly times: number; readonly until: number }>();

  constructor(ports: KeeperPorts, account: string, held: HeldLease) {
    this.#ports = ports;
    this.#account = account;
    this.#held = held;
  }

  async idle(): Promise<void> {
    await Promise.all(this.#busy.values());
  }

  /** Begins what there is to tell, and has room. */
  begin(groups: readonly GroupRecord[], machines: readonly MachineRecord[], over: AbortSignal): void {
    const { clock } = this.#ports;
    const now = clock.now();
    const open = new Set<string>();
    for (const machine of machines) {
      const transition = transitionOf(machine);
      const group = groups.find(({ name }) => name === machine.group);
      if (transition === undefined || group === undefined || group.deleting === true) continue;
      for (const wait of machine.waits ?? []) {
        const hook = group.hooks?.find(({ name }) => name === wait.hook);
        const url = hook?.target === undefined ? undefined : webhookOf(hook.target);
        if (hook === undefined || url === undefined || wait.told === true) continue;
        if (resultOf(group, transition, wait, now) !== 'waits') continue;
        open.add(wait.token);
        const isDue = clock.monotonic() >= (this.#failed.get(wait.token)?.until ?? 0);
        if (!isDue || this.#busy.has(wait.token) || this.#busy.size >= mostCalls) continue;
        this.#busy.set(wait.token, this.#tell(url, hook, machine, wait, over));
      }
    }
    for (const token of this.#failed.keys()) if (!open.has(token)) this.#failed.delete(token);
  }

  /** Never rejects: what was not told is told again. */
  async #tell(url: string, hook: HookRecord, machine: MachineRecord, wait: HookWait, over: AbortSignal): Promise<void> {
    const { clock, log, records } = this.#ports;
    const fields = { account: this.#account, group: machine.group, hook: hook.name, instance: machine.id };
    try {
      const secret = await groupSecret(this.#ports, this.#account, machine.group);
      const payload = this.#payload(hook, machine, wait);
      const failure = await tellWebhook(this.#ports, url, { id: wait.token, payload, secret }, over);
      if (failure !== undefined) {
        const times = (this.#failed.get(wait.token)?.times ?? 0) + 1;
        this.#failed.set(wait.token, { times, until: clock.monotonic() + pauseAfter(times) });
        log.warn({ ...fields, reason: failure }, 'could not tell a webhook of a machine; trying again');
        return;
      }
      await transact(
        records,
        groupsPartition(this.#account),
        async (tx) => {
          const found = await tx.get<MachineRecord>(groupKeys.machine(machine.id));
          const waits = found?.waits?.map((one): HookWait => (one.token === wait.token ? { ...one, told: true } : one));
          if (found !== undefined && waits !== undefined)
            tx.put(groupKeys.machine(machine.id), toJson({ ...found, waits }));
        },
        { fence: this.#held, attempts: 100 },
      );
    } catch (err) {
      if (!over.aborted && !(err instanceof StaleEpoch)) log.warn({ ...fields, err }, 'cannot tell a webhook now');
    } finally {
      this.#busy.delete(wait.token);
    }
  }

  /** The message that Auto Scaling sends to a notification target. */
  #payload(hook: HookRecord, machine: MachineRecord, wait: HookWait): object {
    const [origin, destination] = wayOf(machine);
    return {
      Origin: origin,
      Destination: destination,
      Service: 'AWS Auto Scaling',
      AccountId: this.#account,
      RequestId: newEventId(this.#ports.random),
      Time: new Date(wait.since).toISOString(),
      AutoScalingGroupName: machine.group,
      EC2InstanceId: machine.id,
      LifecycleActionToken: wait.token,
      LifecycleHookName: hook.name,
      LifecycleTransition: transitionNames[hook.transition],
      ...(hook.metadata === undefined ? {} : { NotificationMetadata: hook.metadata }),
    };
  }
}

/** From where to where a machine goes in the transition that it is in, as Auto Scaling says it. */
function wayOf(machine: MachineRecord): readonly [string, string] {
  const { state, pool, returns } = machine;
  const [service, warm, elsewhere] = ['AutoScalingGroup', 'WarmPool', 'EC2'];
  if (state === 'Warming') return [elsewhere, warm];
  if (state === 'Pending') return [pool === true ? warm : elsewhere, service];
  return [pool === true ? warm : service, returns === true ? warm : elsewhere];
}
