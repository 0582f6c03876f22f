import { afterEach, expect, test } from 'vitest';
import type { StoredLogs } from './stored-logs.ts';
import { account, type HandClock, openedLogs } from './testing/opened.ts';

let store: StoredLogs;
afterEach(() => store.close());

async function opened(): Promise<HandClock> {
  const stores = openedLogs();
  store = stores.server();
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'g', 's');
  return stores.clock;
}
const put = (timestamp: number, ...messages: readonly string[]): Promise<void> =>
  store.put(
    account,
    'g',
    's',
    messages.map((message) => ({ timestamp, message })),
  );
/** However slow the machine is: pages end early otherwise. */
const anyTime = { bytes: 2 ** 30, milliseconds: 3_600_000 };
const search = async (term: string) => {
  const { events, scanned } = await store.scan(account, 'g', { terms: [term], limit: 10, budget: anyTime });
  return [events.map(({ message }) => message), scanned.events];
};

test('a block that lacks what is looked for is looked at once, and one that comes later is', async () => {
  await opened();
  await put(1, 'one', 'two');
  expect(await search('three')).toEqual([[], 2]);
  expect(await search('three')).toEqual([[], 0]);
  expect(await search('tw')).toEqual([['two'], 2]);
  expect(await search('tw')).toEqual([['two'], 2]);
  await put(2, 'three', 'four');
  expect(await search('three')).toEqual([['three'], 2]);
});

test('what reaches from one message into the next is in none', async () => {
  await opened();
  await put(1, 'begin', 'end', 'gin and e');
  expect(await search('gine')).toEqual([[], 3]);
  expect(await search('gin')).toEqual([['begin', 'gin and e'], 3]);
  // Of a hit that is none it is not remembered that there is none.
  expect(await search('gine')).toEqual([[], 3]);
});

test('what is slow to match lets others have their turn', async () => {
  const clock = await opened();
  await put(1, ...Array.from({ length: 50 }, (_, n) => `line ${n}`));
  let turns = 0;
  let over = false;
  const others = (): void => {
    turns += 1;
    if (!over) setImmediate(others);
  };
  let spent = 0;
  clock.monotonic = () => spent;
  const atTurns: number[] = [];
  const matches = (): boolean => {
    spent += 2;
    atTurns.push(turns);
    return false;
  };
  others();
  await store.scan(account, 'g', { matches, limit: 10 });
  over = true;
  expect(atTurns).toHaveLength(50);
  // 100 ms of work; others wait for 8 of them, which four lines take.
  const most = Math.max(
    ...Map.groupBy(atTurns, (turn) => turn)
      .values()
      .map(({ length }) => length),
  );
  expect(most).toBe(4);
});

test('of segments no block is unpacked that has no such letters, in the middle of words as well', async () => {
  const stores = openedLogs();
  store = stores.server();
  await store.createGroup(account, 'g', { tags: {}, logGroupClass: 'STANDARD' });
  await store.createStream(account, 'g', 's');
  await put(1, '{"msg":"payment declined by issuer"}', 'other');
  // A chunk is unpacked: it is soon part of a segment, and quickly written without filters.
  expect(await search('shipment delayed')).toEqual([[], 2]);
  await stores.upkeep(store);
  expect(await search('shipments')).toEqual([[], 0]);
  expect(await search('yment decl')).toEqual([['{"msg":"payment declined by issuer"}'], 2]);
  expect(await search('"payment declined by nobody"')).toEqual([[], 0]);
  // Letters that another word has, and what has none: only the messages tell.
  expect(await search('decl77')).toEqual([[], 2]);
  expect(await search('77')).toEqual([[], 2]);
});
