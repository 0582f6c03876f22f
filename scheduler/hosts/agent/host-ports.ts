import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

import type { Clock } from '@slipway/storage/clock';
import { z } from 'zod';

import type { Disk } from './files.ts';

export type Protocol = 'tcp' | 'udp';

/** Ports of the host, both ends included. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export interface HostPortsOptions {
  readonly disk: Disk;
  /** Where it is written down who has which port, and which ones rest. */
  readonly file: string;
  readonly range: PortRange;
  /** For how long nobody gets a port that a task had: until then somebody may still route to it. Milliseconds. */
  readonly rest: number;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Whether nobody on the host listens on a port. */
  readonly isFree: (protocol: Protocol, port: number) => Promise<boolean>;
}

const protocol = z.enum(['tcp', 'udp']);
const number = z.number().int().min(1).max(65_535);

const saved = z.object({
  /** Where the search for the next one begins: what was given longest ago comes again last. */
  next: number.optional(),
  held: z.array(z.object({ task: z.string(), use: z.string(), protocol, first: number, count: number })).default([]),
  /** Until when ports rest, milliseconds since the epoch. */
  resting: z.array(z.object({ protocol, port: number, until: z.number() })).default([]),
});

type Saved = z.output<typeof saved>;
type Held = Saved['held'][number];

/**
 * The ports of the host that tasks get which name none. They come from a range of the agent's own, where the kernel picks none for
 * outgoing connections, and one that a task had rests before another gets it, so that a route that is out of date leads nowhere.
 * What is given is on disk before it is used.
 */
export class HostPorts {
  readonly #options: HostPortsOptions;
  #saved: Saved = { held: [], resting: [] };
  #lane: Promise<unknown> = Promise.resolve();
  /** Until the file is read. */
  #live: ReadonlySet<string> | undefined = new Set();

  constructor(options: HostPortsOptions) {
    this.#options = options;
  }

  /**
   * Says whose ports of an earlier run of the agent are still in use; the file is read when it is first needed.
   * @param live ARNs of the tasks that are not over
   */
  open(live: ReadonlySet<string>): void {
    this.#live = live;
  }

  /** A file that cannot be read says nothing of what was given: then every port of the range rests. */
  async #load(live: ReadonlySet<string>): Promise<void> {
    const { disk, file, range, rest, clock } = this.#options;
    const read = await disk.read(file).catch(() => 'damaged');
    const found = saved.safeParse(read ?? {});
    const until = clock.now() + rest;
    if (found.success) {
      const over = found.data.held.filter(({ task }) => !live.has(task));
      this.#saved = {
        ...found.data,
        held: found.data.held.filter(({ task }) => live.has(task)),
        // A clock that was set back makes nobody wait for longer than a rest.
        resting: [
          ...found.data.resting.map((one) => ({ ...one, until: Math.min(one.until, until) })),
          ...over.flatMap((held) => restOf(held, until)),
        ],
      };
    } else {
      const ports = Array.from({ length: range.last - range.first + 1 }, (_, index) => range.first + index);
      const resting = ports.flatMap((port) => protocol.options.map((name) => ({ protocol: name, port, until })));
      this.#saved = { held: [], resting };
    }
  }

  /**
   * Ports for one use of a task, next to each other: the same each time it is asked for.
   *
   * @param use what for; a task asks for each of its uses by a name of its own
   * @param count how many; the first one is returned
   * @throws Error in amazon-ecs-agent's words when no port is left
   */
  take(task: string, use: string, protocol: Protocol, count = 1): Promise<number> {
    return this.#enqueue(async () => {
      const known = this.#saved.held.find((held) => held.task === task && held.use === use);
      if (known !== undefined) return known.first;
      const first = await this.#find(protocol, count);
      const { range } = this.#options;
      const next = first + count > range.last ? range.first : first + count;
      const held = [...this.#saved.held, { task, use, protocol, first, count }];
      await this.#write({ ...this.#saved, next, held });
      return first;
    });
  }

  /** Lets the ports of a task that is over rest. */
  release(task: string): Promise<void> {
    return this.#enqueue(async () => {
      const until = this.#options.clock.now() + this.#options.rest;
      const over = this.#saved.held.filter((held) => held.task === task);
      if (over.length === 0) return;
      const held = this.#saved.held.filter((one) => one.task !== task);
      const resting = [...this.#saved.resting, ...over.flatMap((one) => restOf(one, until))];
      await this.#write({ ...this.#saved, held, resting });
    });
  }

  /** Lets ports rest that no task of this agent has: those of containers which it ends without knowing their task. */
  rest(ports: readonly { readonly protocol: Protocol; readonly port: number }[]): Promise<void> {
    return this.#enqueue(async () => {
      if (ports.length === 0) return;
      const until = this.#options.clock.now() + this.#options.rest;
      const resting = [
        ...this.#saved.resting,
        ...ports.map(({ protocol: name, port }) => ({ protocol: name, port, until })),
      ];
      await this.#write({ ...this.#saved, resting });
    });
  }

  async #find(wanted: Protocol, count: number): Promise<number> {
    const { range, clock, random, isFree } = this.#options;
    const now = clock.now();
    const taken = new Set<number>();
    for (const { protocol: name, first, count: many } of this.#saved.held) {
      if (name === wanted) for (let port = first; port < first + many; port++) taken.add(port);
    }
    for (const { protocol: name, port, until } of this.#saved.resting) {
      if (name === wanted && until > now) taken.add(port);
    }
    const size = range.last - range.first + 1;
    const { next = range.first + Math.floor(random() * size) } = this.#saved;
    const start = next >= range.first && next <= range.last ? next - range.first : 0;
    let run = 0;
    // Once around, and on to the end of a run that begins before the start.
    for (let step = 0; step < size + count - 1; step++) {
      const port = range.first + ((start + step) % size);
      if (port === range.first) run = 0;
      run = !taken.has(port) && (await isFree(wanted, port)) ? run + 1 : 0;
      if (run === count) return port - count + 1;
    }
    throw new Error(
      `${count === 1 ? 'a host port is unavailable' : `${count} contiguous host ports are unavailable`}: ` +
        `of ${range.first}-${range.last}, each is in use or rests for ${this.#options.rest / 1000} s after its use`,
    );
  }

  async #write(changed: Saved): Promise<void> {
    const now = this.#options.clock.now();
    const kept = { ...changed, resting: changed.resting.filter(({ until }) => until > now) };
    await this.#options.disk.write(this.#options.file, JSON.stringify(kept));
    this.#saved = kept;
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#lane.then(async () => {
      if (this.#live !== undefined) await this.#load(this.#live);
      this.#live = undefined;
      return work();
    });
    this.#lane = done.catch(() => undefined);
    return done;
  }
}

const restOf = ({ protocol: name, first, count }: Held, until: number): Saved['resting'] =>
  Array.from({ length: count }, (_, index) => ({ protocol: name, port: first + index, until }));

/** Whether a port of an address of this machine can be listened on. */
export function isPortFree(address: string, name: Protocol, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    if (name === 'udp') {
      const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
      socket.once('error', () => socket.close(() => resolve(false)));
      socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(true)));
      return;
    }
    const server = createServer((connection) => connection.destroy());
    server.once('error', () => resolve(false));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
