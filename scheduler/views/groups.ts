import type { TaskRecord } from '../state/index.ts';

/** Tasks by the name of what they belong to; what has none is nowhere. */
export class Groups {
  readonly #groups = new Map<string, Map<string, TaskRecord>>();

  of(name: string): TaskRecord[] {
    return [...(this.#groups.get(name)?.values() ?? [])];
  }

  put(name: string | undefined, task: TaskRecord): void {
    if (name === undefined) return;
    const group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, new Map([[task.id, task]]));
    else group.set(task.id, task);
  }

  remove(name: string | undefined, id: string): void {
    const group = this.#groups.get(name ?? '');
    if (group?.delete(id) === true && group.size === 0) this.#groups.delete(name ?? '');
  }
}
