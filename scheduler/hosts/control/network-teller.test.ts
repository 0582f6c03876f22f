import { randomBytes } from 'node:crypto';

import { beforeEach, expect, test } from 'vitest';

import { type NetworkChange, type NetworkState, withChange } from '../wire/index.ts';
import { NetworkTeller } from './network-teller.ts';
import { timing } from './timing.ts';

let now: number;
let state: NetworkState | undefined;
let teller: NetworkTeller;
let said: { id: string; state?: NetworkState; after?: string; change?: NetworkChange }[];

beforeEach(() => {
  [now, state, said] = [0, undefined, []];
  const options = { networks: { of: () => state }, clock: { monotonic: () => now }, random: randomBytes };
  teller = new NetworkTeller({ options, ref: { account: '0', cluster: 'c', id: 'i' } } as never);
});

/** @returns what was said, if anything */
const tell = () => {
  const before = said.length;
  teller.tell({
    whole: (id, whole) => void said.push({ id, state: whole }),
    change: (id, after, change) => void said.push({ id, after, change }),
  });
  return said[before];
};

const network = (...members: string[]): NetworkState => ({
  address: '192.0.2.1',
  blocks: [],
  groups: [],
  members: { 'sg-a': members },
  peers: [],
});

test('says nothing while there is nothing, then all of it, and then what has changed since the message before', () => {
  expect(tell()).toBeUndefined();
  state = network('10.0.0.1');
  const whole = tell();
  expect(whole?.state).toEqual(state);
  expect(tell()).toBeUndefined();
  state = network('10.0.0.1');
  expect(tell()).toBeUndefined();
  // What is on its way comes before what builds on it: nobody has to wait for an acknowledgement.
  state = network('10.0.0.1', '10.0.0.2');
  const one = tell();
  state = network('10.0.0.2');
  const two = tell();
  expect([one?.after, two?.after]).toEqual([whole?.id, one?.id]);
  expect(withChange(withChange(whole!.state!, one!.change!), two!.change!)).toEqual(state);
});

test('says all of it again when a message is not acknowledged, however often something changes meanwhile', () => {
  state = network('10.0.0.1');
  teller.acknowledged(tell()!.id);
  expect(teller.dueAt).toBe(Infinity);
  const kinds: boolean[] = [];
  for (let step = 1; step <= 6; step += 1) {
    now = step * 1_000;
    state = network(`10.0.1.${step}`);
    kinds.push(tell()?.state !== undefined);
  }
  // The first of them was sent at 1,000.
  expect(timing.resendUnacknowledged).toBe(5_000);
  expect(kinds).toEqual([false, false, false, false, false, true]);
  expect(said.at(-1)?.state).toEqual(state);
});

test('goes on with what is whole where changes are not acknowledged: an older agent does not know them', () => {
  state = network('10.0.0.1');
  teller.acknowledged(tell()!.id);
  state = network('10.0.0.2');
  expect(tell()?.change).toBeDefined();
  now = teller.dueAt;
  const whole = tell();
  expect(whole?.state).toEqual(state);
  teller.acknowledged(whole!.id);
  state = network('10.0.0.3');
  expect(tell()?.state).toEqual(state);
});

test('an agent that acknowledges a change, however late, is told changes again', () => {
  state = network('10.0.0.1');
  teller.acknowledged(tell()!.id);
  state = network('10.0.0.2');
  const late = tell()!;
  now = teller.dueAt;
  const whole = tell();
  expect(whole?.state).toEqual(state);
  teller.acknowledged(late.id);
  // What came meanwhile is still to be acknowledged.
  expect(teller.dueAt).toBe(now + timing.resendUnacknowledged);
  teller.acknowledged(whole!.id);
  state = network('10.0.0.3');
  expect(tell()?.after).toBe(whole?.id);
  // One that could not be put into effect is no sign of an older agent any more.
  now = teller.dueAt;
  teller.acknowledged(tell()!.id);
  state = network('10.0.0.4');
  expect(tell()?.change).toBeDefined();
});

test('what acknowledges a message has all before it, and one that was never sent says nothing', () => {
  state = network('10.0.0.1');
  tell();
  state = network('10.0.0.2');
  const one = tell();
  state = network('10.0.0.3');
  now = 1_000;
  tell();
  teller.acknowledged('made up');
  expect(teller.dueAt).toBe(timing.resendUnacknowledged);
  teller.acknowledged(one!.id);
  expect(teller.dueAt).toBe(1_000 + timing.resendUnacknowledged);
});
