import { expect, it } from 'vitest';
import type { DesiredState, Forward, HttpListener, Target } from '../../../routing/index.ts';
import { listenerOf } from '../../../routing/testing/generate.ts';
import { ask, freshAddress, openRaw, valueOf } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf, streamOf } from './targets.ts';

const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
const closing = request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');

/** What came back: a target's name, or what went wrong instead. */
interface Answered {
  /** How many states were live when it was sent. */
  readonly state: number;
  readonly by: string;
}

/** Clients that ask over kept and over fresh connections until they are stopped. They never send anything again. */
function startAsking({ address, port }: HttpListener) {
  const answers: Answered[] = [];
  let state = 0;
  let isOver = false;
  const one = async (send: () => Promise<string>): Promise<void> => {
    const sent = state;
    answers.push({ state: sent, by: await send().catch((error: unknown) => String(error)) });
  };
  const kept = async (): Promise<void> => {
    while (!isOver) {
      using client = await openRaw(address, port);
      let closes = false;
      while (!isOver && !closes)
        await one(async () => {
          client.send(request);
          const answer = await client.answer();
          closes = valueOf(answer, 'connection')?.toLowerCase() === 'close';
          return valueOf(answer, 'x-target') ?? String(answer.status);
        });
    }
  };
  const fresh = async (): Promise<void> => {
    while (!isOver)
      await one(async () => {
        const answer = await ask(address, port, closing);
        return valueOf(answer, 'x-target') ?? String(answer.status);
      });
  };
  const running = Promise.all([kept(), kept(), kept(), kept(), fresh(), fresh()]);
  // Whoever stops it gets what a client threw.
  running.catch(() => undefined);
  const since = (live: number): readonly string[] => answers.flatMap((a) => (a.state >= live ? [a.by] : []));
  return {
    /** What requests are answered by that are sent from now on, at least so many. */
    async next(count: number): Promise<readonly string[]> {
      const live = ++state;
      await expect.poll(() => since(live).length, { timeout: 120_000 }).toBeGreaterThanOrEqual(count);
      return since(live);
    },
    async stop(): Promise<readonly string[]> {
      isOver = true;
      await running;
      return answers.map(({ by }) => by);
    },
  };
}

/** Whether so many of all are no surprise for a share: within five standard deviations, which one in a million and a half is not. */
const isShare = (found: number, all: number, share: number): boolean =>
  Math.abs(found - all * share) <= 5 * Math.sqrt(all * share * (1 - share));

/** Weights of groups, which change while clients ask. */
export function weightsSuite(bench: () => Bench): void {
  const forward = (weights: readonly [number, number], stickySeconds?: number): Forward => ({
    kind: 'forward',
    targetGroups: [
      { id: 'a', weight: weights[0] },
      { id: 'b', weight: weights[1] },
    ],
    ...(stickySeconds === undefined ? {} : { stickySeconds }),
  });
  const groups = (states: readonly [Target['state'], Target['state']] = ['up', 'up']): DesiredState['targetGroups'] => {
    const { a, b } = bench();
    return [groupOf('a', [a.target(states[0])]), groupOf('b', [b.target(states[1])])];
  };

  it(
    'shares requests out by weights that change while clients ask, without losing one',
    { timeout: 300_000 },
    async () => {
      const listener = listenerOf({ address: freshAddress(), defaultAction: forward([100, 0]) });
      const run = (weights: readonly [number, number]): Promise<void> =>
        bench().apply({ listeners: [{ ...listener, defaultAction: forward(weights) }], targetGroups: groups() });
      await run([100, 0]);
      const asking = startAsking(listener);
      const shares: [readonly [number, number], boolean][] = [];
      const wanted = [
        [100, 0],
        [95, 5],
        [5, 95],
        [0, 100],
        [995, 5],
        [100, 0],
      ] as const;
      try {
        for (const weights of wanted) {
          await run(weights);
          const by = await asking.next(400);
          const found = by.filter((name) => name === 'b').length;
          shares.push([weights, isShare(found, by.length, weights[1] / (weights[0] + weights[1]))]);
        }
      } finally {
        expect([...new Set(await asking.stop())].toSorted()).toEqual(['a', 'b']);
      }
      expect(shares).toEqual(wanted.map((weights) => [weights, true]));
    },
  );

  it(
    'loses no request when traffic goes elsewhere and the targets that had it leave, in one state',
    { timeout: 300_000 },
    async () => {
      const listener = listenerOf({ address: freshAddress(), defaultAction: forward([100, 0]) });
      await bench().apply({ listeners: [listener], targetGroups: groups(['up', 'draining']) });
      const asking = startAsking(listener);
      const answering: string[][] = [];
      try {
        for (let i = 0; i < 12; i++) {
          const toB = i % 2 === 0;
          await bench().apply({
            listeners: [{ ...listener, defaultAction: forward(toB ? [0, 100] : [100, 0]) }],
            targetGroups: groups(toB ? ['draining', 'up'] : ['up', 'draining']),
          });
          answering.push([...new Set(await asking.next(50))]);
        }
      } finally {
        expect([...new Set(await asking.stop())].toSorted()).toEqual(['a', 'b']);
      }
      // Connections that are older go by it too.
      expect(answering).toEqual(answering.map((_, i) => [i % 2 === 0 ? 'b' : 'a']));
    },
  );

  it('keeps a client with its group while that has a weight, and not longer', async () => {
    const listener = listenerOf({ address: freshAddress() });
    const run = (weights: readonly [number, number]): Promise<void> =>
      bench().apply({ listeners: [{ ...listener, defaultAction: forward(weights, 60) }], targetGroups: groups() });
    const askWith = async (cookie: string) => {
      const text = request.replace('\r\n\r\n', `\r\nCookie: ${cookie}\r\nConnection: close\r\n\r\n`);
      return valueOf(await ask(listener.address, listener.port, text), 'x-target');
    };
    await run([100, 0]);
    const first = await ask(listener.address, listener.port, closing);
    const cookie = valueOf(first, 'set-cookie')?.split(';')[0] ?? '';
    expect(cookie).toMatch(/^AWSALBTG=/);
    await run([1, 999]);
    const kept = await Promise.all(Array.from({ length: 20 }, () => askWith(cookie)));
    expect(new Set(kept)).toEqual(new Set(['a']));
    await run([0, 999]);
    const moved = await Promise.all(Array.from({ length: 20 }, () => askWith(cookie)));
    expect(new Set(moved)).toEqual(new Set(['b']));
  });

  it('shares connections of streams out by weights', async () => {
    const listener = streamOf();
    const run = async (weights: readonly [number, number]): Promise<readonly string[]> => {
      await bench().apply({
        listeners: [{ ...listener, defaultAction: forward(weights) }],
        targetGroups: groups().map((group) => ({ ...group, protocol: 'TCP' as const })),
      });
      const names: string[] = [];
      for (let i = 0; i < 150; i++)
        names.push(valueOf(await ask(listener.address, listener.port, closing), 'x-target') ?? '');
      return names;
    };
    expect(new Set(await run([100, 0]))).toEqual(new Set(['a']));
    const some = await run([80, 20]);
    expect(isShare(some.filter((name) => name === 'b').length, some.length, 0.2)).toBe(true);
    expect(new Set(await run([0, 100]))).toEqual(new Set(['b']));
  });
}
