/** Records by the name of what they belong to; what has none is nowhere. */
export class Groups<T extends { readonly id: string }> {
  readonly #groups = new Map<string, Map<string, T>>();

  of(name: string): T[] {
    return [...(this.#groups.get(name)?.values() ?? [])];
  }

  put(name: string | undefined, record: T): void {
    if (name === undefined) return;
    const group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, new Map([[record.id, record]]));
    else group.set(record.id, record);
  }

  remove(name: string | undefined, id: string): void {
    const group = this.#groups.get(name ?? '');
    if (group?.delete(id) === true && group.size === 0) this.#groups.delete(name ?? '');
  }
}
