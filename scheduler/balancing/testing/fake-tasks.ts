import type { TaskTarget } from '../../state/index.ts';
import type { BalancedTask, BalancedTasks, TargetNote } from '../traffic/index.ts';

/** Tasks of one cluster as tests want them. */
export class FakeTasks implements BalancedTasks {
  readonly tasks = new Map<string, BalancedTask>();
  /** Tasks that this server has not heard of yet, though their cluster has them. */
  readonly unheard = new Set<string>();
  /** Why nothing can be written. */
  broken: Error | undefined;
  readonly #watchers = new Set<() => void>();

  /** A task that runs, with one target. */
  add(id: string, targetGroupArn: string, address = '10.0.0.1', port = 8080): void {
    const target = { id: id.padEnd(16, '0'), targetGroupArn, targetId: address, address, port, registeredAt: 0 };
    this.put({ cluster: 'default', id, isWanted: true, targets: [target] });
  }

  /** Somebody tells it to stop. */
  stop(id: string): void {
    this.put({ ...this.get(id), isWanted: false });
  }

  put(task: BalancedTask): void {
    this.tasks.set(task.id, task);
    this.stir();
  }

  /** Tells everybody who watches. */
  stir(): void {
    for (const tell of this.#watchers) tell();
  }

  get(id: string): BalancedTask {
    const found = this.tasks.get(id);
    if (found === undefined) throw new Error(`there is no task ${id}`);
    return found;
  }

  target(id: string): TaskTarget {
    return this.get(id).targets[0] as TaskTarget;
  }

  read(): Promise<readonly BalancedTask[]> {
    const open = [...this.tasks.values()].filter(
      ({ id, targets }) => !this.unheard.has(id) && targets.some(({ quietAt }) => quietAt === undefined),
    );
    return Promise.resolve(open);
  }

  find(_account: string, _cluster: string, id: string): Promise<BalancedTask | undefined> {
    return Promise.resolve(this.tasks.get(id));
  }

  watch(_account: string, changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  note(_account: string, notes: readonly TargetNote[]): Promise<void> {
    if (this.broken !== undefined) return Promise.reject(this.broken);
    for (const { task: id, target, change } of notes) {
      const task = this.tasks.get(id);
      if (task === undefined || ('quietAt' in change && task.isWanted)) continue;
      this.put({ ...task, targets: task.targets.map((one) => (one.id === target ? { ...one, ...change } : one)) });
    }
    return Promise.resolve();
  }
}
