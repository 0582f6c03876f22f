import type { MeasuredRecord, ShiftLiveRecord, ShiftRecord } from '../../state/index.ts';
import type { TrafficShifts, WantedShift } from '../traffic/index.ts';

import type { FakeTasks } from './fake-tasks.ts';

/** What services of one cluster want of rules, as tests say, and are told of it. */
export class FakeShifts implements TrafficShifts {
  readonly wanted = new Map<string, ShiftRecord>();
  readonly live = new Map<string, ShiftLiveRecord>();
  /** What was told of services that are measured; those that are not have no place here. */
  readonly measured = new Map<string, MeasuredRecord | undefined>();
  /** Everything that was ever written. */
  readonly notes: ShiftLiveRecord[] = [];
  readonly #tasks: FakeTasks;

  /** @param tasks of the same cluster: who watches those is told */
  constructor(tasks: FakeTasks) {
    this.#tasks = tasks;
  }

  want(record: ShiftRecord): void {
    this.wanted.set(record.service, record);
    this.#tasks.stir();
  }

  read(): Promise<readonly WantedShift[]> {
    return Promise.resolve(
      [...this.wanted.values()].map((wanted) => ({
        cluster: 'default',
        wanted,
        live: this.live.get(wanted.service),
        isMeasured: this.measured.has(wanted.service),
        measured: this.measured.get(wanted.service),
      })),
    );
  }

  note(_account: string, _cluster: string, live: ShiftLiveRecord): Promise<void> {
    if (this.wanted.get(live.service)?.sequence === (live.problem?.sequence ?? live.sequence)) {
      this.live.set(live.service, live);
      this.notes.push(live);
    }
    return Promise.resolve();
  }

  tell(_account: string, _cluster: string, measured: MeasuredRecord): Promise<void> {
    if (this.wanted.get(measured.service)?.sequence === measured.sequence)
      this.measured.set(measured.service, measured);
    return Promise.resolve();
  }
}
