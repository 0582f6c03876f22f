import { Alarms } from '@slipway/scheduler/signals/alarms/store';
import type { ServiceRecord } from '@slipway/scheduler/state';
import type { RecordStore } from '@slipway/storage/records';
import type { Chance } from './chance.ts';
import { Violation } from './invariants.ts';
import type { Changed } from './mirror.ts';
import { serviceNames } from './plan.ts';
import { account } from './server.ts';
import type { SeenCommit } from './store.ts';

export interface AlarmDayPorts {
  /** The store itself: alarms are set beside the servers. */
  readonly truth: RecordStore;
  readonly chance: Chance;
  readonly clock: ConstructorParameters<typeof Alarms>[0]['clock'];
  /** How late, at the most, servers may have heard of changes lately; milliseconds. */
  readonly lag: () => number;
}

/** The alarm that deployments of a service may fail by. */
export const alarmOf = (service: string): string => `errors-${service}`;

/** Alarms that go on and off beside everything else, and what deployments make of them. */
export class AlarmDays {
  readonly #ports: AlarmDayPorts;
  readonly #alarms: Alarms;
  /** Of each alarm, when it last went into ALARM by its own record, and when that was here. */
  readonly #went = new Map<string, { readonly alarmedAt: number; readonly seenAt: number }>();

  constructor(ports: AlarmDayPorts) {
    this.#ports = ports;
    const { truth: records, clock, chance } = ports;
    const random = (size: number): Uint8Array => Uint8Array.from({ length: size }, () => chance.whole(0, 255));
    this.#alarms = new Alarms({ records, clock, random });
  }

  /** One for each service; they look back over ten seconds. */
  async make(): Promise<void> {
    for (const service of serviceNames)
      await this.#alarms.put(
        account,
        {
          name: alarmOf(service),
          actionsEnabled: true,
          actions: { OK: [], ALARM: [], INSUFFICIENT_DATA: [] },
          subject: {
            kind: 'metric',
            source: { kind: 'metric', namespace: 'App', metric: 'errors', dimensions: [], statistic: 'Sum' },
            rule: {
              comparison: 'GreaterThanThreshold',
              threshold: 1,
              period: 10,
              evaluationPeriods: 1,
              datapointsToAlarm: 1,
              treatMissingData: 'ignore',
            },
          },
        },
        {},
      );
  }

  /** Some alarm goes on or off. @param isKind nothing goes wrong any more: all are off */
  async flip(isKind: boolean): Promise<void> {
    const { chance } = this.#ports;
    for (const service of serviceNames) {
      if (!isKind && !chance.happens(0.2)) continue;
      const state = !isKind && chance.happens(0.4) ? 'ALARM' : 'OK';
      await this.#alarms.setState(account, alarmOf(service), { state, reason: 'a bad day' });
      await this.#note(service);
    }
  }

  async #note(service: string): Promise<void> {
    const { alarmedAt } = (await this.#alarms.find(account, alarmOf(service))) ?? {};
    if (alarmedAt === undefined || this.#went.get(alarmOf(service))?.alarmedAt === alarmedAt) return;
    this.#went.set(alarmOf(service), { alarmedAt, seenAt: this.#ports.clock.now() });
  }

  /** The store lost commits: what is there now is what there is. */
  async rewound(): Promise<void> {
    this.#went.clear();
    for (const service of serviceNames) await this.#note(service);
  }

  /** @throws Violation */
  check({ batch }: SeenCommit, changed: readonly Changed[]): void {
    if (batch.fence === undefined) return;
    for (const change of changed) if (change.kind === 'service') this.#service(change.before, change.after);
  }

  #service(before: ServiceRecord | undefined, after: ServiceRecord | undefined): void {
    if (before === undefined || after === undefined) return;
    const went = this.#went.get(alarmOf(after.name));
    for (const deployment of after.deployments) {
      const { id, cause, completedAt, alarms, shifting } = deployment;
      const own = shifting?.codeDeploy;
      if (own === undefined ? after.deploymentConfiguration.alarms?.enable !== true : own.alarms === undefined)
        continue;
      const was = before.deployments.find((one) => one.id === id);
      const say = `deployment ${id} of ${after.name}`;
      if (alarms?.triggered !== undefined && was !== undefined && was.alarms?.triggered === undefined) {
        // One of CodeDeploy's is stopped by what was on when it began as well.
        const since = own === undefined ? (was.alarms?.before?.[alarmOf(after.name)] ?? 0) : 0;
        if (went === undefined || went.alarmedAt <= since)
          throw new Violation('alarms', `${say} failed by an alarm that did not go on after it began`);
        if (was.alarms?.ignored !== undefined)
          throw new Violation('alarms', `${say} failed by an alarm, and was to watch none`);
      }
      const isDone = was !== undefined && was.completedAt === undefined && completedAt !== undefined;
      if (!isDone || cause.kind === 'rollback' || alarms?.ignored !== undefined || went === undefined) continue;
      if (
        went.alarmedAt > (alarms?.before?.[alarmOf(after.name)] ?? 0) &&
        went.seenAt < this.#ports.clock.now() - this.#ports.lag()
      )
        throw new Violation('alarms', `${say} completed, though its alarm went on after it began`);
    }
  }
}
