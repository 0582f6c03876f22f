import { createHash, type Hash } from 'node:crypto';

/** How many uploads' hashes are remembered between their parts. One that was forgotten costs reading the bytes again at the seal. */
const remembered = 10_000;

/** The sha256 of an upload so far, kept in memory between the calls that append to it. */
export class RunningHashes {
  readonly #states = new Map<string, { readonly size: number; readonly hash: Hash }>();

  /** A hash to go on with, or undefined when the bytes before `size` were not hashed here. */
  resume(id: string, size: number): Hash | undefined {
    if (size === 0) return createHash('sha256');
    const state = this.#states.get(id);
    return state?.size === size ? state.hash.copy() : undefined;
  }

  keep(id: string, size: number, hash: Hash): void {
    this.#states.delete(id);
    this.#states.set(id, { size, hash });
    if (this.#states.size > remembered) this.#states.delete(this.#states.keys().next().value!);
  }

  forget(id: string): void {
    this.#states.delete(id);
  }
}
