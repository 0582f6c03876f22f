import { expect, test } from 'vitest';
import { readConfig } from './config.ts';

const read = (SLIPWAY_INSTANCE_PROVIDERS: string, more: NodeJS.ProcessEnv = {}) =>
  readConfig({ SLIPWAY_INSTANCE_PROVIDERS, ...more }).instanceProviders;
const range = (second: number, third: number, length: number) => ({
  base: 198 * 2 ** 24 + second * 2 ** 16 + third * 2 ** 8,
  length,
});

test('machines are made by programs and by this computer, which has its own range and number of them', () => {
  expect(read('lab=/usr/bin/lab --fast, here=docker')).toEqual([
    { name: 'lab', command: ['/usr/bin/lab', '--fast'] },
    { name: 'here', docker: { range: range(19, 0, 24), most: 8 } },
  ]);
  expect(read('here=docker  most=3 range=198.18.4.0/28')).toEqual([
    { name: 'here', docker: { range: range(18, 4, 28), most: 3 } },
  ]);
});

test('a program says whether it can stop machines, and hibernate them', () => {
  expect(read('lab=can=stop /usr/bin/lab, cold=can=stop+hibernate /usr/bin/cold')).toEqual([
    { name: 'lab', command: ['/usr/bin/lab'], rests: ['Stopped'] },
    { name: 'cold', command: ['/usr/bin/cold'], rests: ['Stopped', 'Hibernated'] },
  ]);
});

test('prepared machines are described by a file', () => {
  expect(read('rack=ssh file=/etc/slipway/rack.json')).toEqual([
    { name: 'rack', ssh: { file: '/etc/slipway/rack.json' } },
  ]);
});

test.each([
  ['rack=ssh', /must be NAME=/],
  ['rack=ssh file=rack.json', /must be NAME=/],
  ['here=docker most=0', /most must be|at least 1/],
  ['here=docker most=many', /must be NAME=/],
  ['here=docker size=3', /must be NAME=/],
  ['here=podman', /must be NAME=/],
  ['lab=can=fly /usr/bin/lab', /must be NAME=/],
  ['here=docker range=198.19.0.0/30 most=2', /has room for 1 machines, not for 2/],
  ['here=docker range=198.19.0.0/32 most=1', /has room for 0 machines/],
  ['here=docker range=127.5.0.0/16', /no machine can have an address of 127\.5\.0\.0\/16/],
  ['here=docker range=fd00::/64', /fd00::\/64 is no range like 198\.19\.0\.0\/24/],
  ['here=docker,there=docker', /can have docker once/],
  ['here=docker,here=/bin/true', /must name each provider once/],
])('%s is refused', (text, why) => {
  expect(() => read(text)).toThrow(why);
});

test('this computer makes machines for a server that is alone', () => {
  expect(() => read('here=docker', { SLIPWAY_RECORDS: 'redis://127.0.0.1' })).toThrow(
    /use it with SLIPWAY_RECORDS=sqlite/,
  );
});
