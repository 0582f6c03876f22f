import type { ECSClient } from '@aws-sdk/client-ecs';

/** The clock of the server, as its answers to a client tell it: those of the computers that people work at are off by anything. */
export class ServerClock {
  #last: { readonly time: number; readonly at: number } | undefined;

  constructor(client: Pick<ECSClient, 'middlewareStack'>) {
    client.middlewareStack.add(
      (next) => async (given) => {
        const answered = await next(given);
        const { headers } = (answered.response ?? {}) as { readonly headers?: Readonly<Record<string, string>> };
        this.note(headers?.['date']);
        return answered;
      },
      { step: 'deserialize', name: 'serverClock' },
    );
  }

  /** @param date what a header says; nothing, or nonsense, leaves the clock as it is */
  note(date: string | undefined): void {
    const time = Date.parse(date ?? '');
    if (Number.isFinite(time)) this.#last = { time, at: performance.now() };
  }

  /** Whole milliseconds since the epoch, at most a second and the way of the last answer behind; by the own clock before there was one. */
  now(): number {
    return this.#last === undefined ? Date.now() : Math.floor(this.#last.time + performance.now() - this.#last.at);
  }
}
