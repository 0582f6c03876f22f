/** Text that an engine streams: the progress of a pull, events. */
export class EngineStream {
  readonly #lines: string[] = [];
  #waiting: ((result: IteratorResult<string>) => void) | undefined;
  #ended = false;

  push(line: string): void {
    if (this.#waiting === undefined) this.#lines.push(line);
    else this.#give({ done: false, value: line });
  }

  destroy(): void {
    this.#ended = true;
    if (this.#waiting !== undefined) this.#give({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): AsyncIterator<string> {
    return {
      next: () =>
        new Promise((resolve) => {
          const line = this.#lines.shift();
          if (line !== undefined) resolve({ done: false, value: line });
          else if (this.#ended) resolve({ done: true, value: undefined });
          else this.#waiting = resolve;
        }),
      return: () => {
        this.destroy();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #give(result: IteratorResult<string>): void {
    const give = this.#waiting;
    this.#waiting = undefined;
    give?.(result);
  }
}
