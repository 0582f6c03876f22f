import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

import { FirewallError, KeptRules, removeRule, type Rule } from './iptables.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-iptables-'));
const path = process.env['PATH'] ?? '';
afterAll(() => {
  process.env['PATH'] = path;
  rmSync(folder, { recursive: true, force: true });
});

const there = join(folder, 'there');
const rule: Rule = { table: 'filter', chain: 'FORWARD', words: ['-i', 'ecs0000+', '-j', 'ACCEPT'] };

/** In the place of iptables: a rule is a file. @param deletes what it does when it is told to delete the rule @returns what it was told */
function stand(deletes: string): () => string[] {
  const calls = join(folder, 'calls');
  writeFileSync(calls, '');
  writeFileSync(there, '');
  const script = `echo "$5" >> ${calls}\ncase "$5" in -C) [ -e ${there} ] ;; -D) ${deletes} ;; esac`;
  writeFileSync(join(folder, 'iptables'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env['PATH'] = `${folder}:${path}`;
  return () => readFileSync(calls, 'utf8').trim().split('\n');
}

test('a rule that another agent takes away at the same moment is gone, which is no failure', async () => {
  const told = stand(`rm ${there}; exit 1`);
  await removeRule(rule);
  expect(told()).toEqual(['-C', '-D', '-C']);
  expect(existsSync(there)).toBe(false);
});

test('a rule that does not go is one', async () => {
  const told = stand('exit 1');
  await expect(removeRule(rule)).rejects.toThrow(FirewallError);
  expect(told()).toHaveLength(6);
});

test('rules that are looked after are asked for one by one only when something of them has changed', async () => {
  const calls = join(folder, 'calls');
  const shown = join(folder, 'shown');
  // It forgets a rule when its file goes, and shows those that it has.
  const script = `echo "$5" >> ${calls}
case "$5" in -S) cat ${shown} ;; -C) grep -q "slipway-network $7" ${shown} ;; -I) echo "-A x -m comment --comment slipway-network $7" >> ${shown} ;; esac`;
  writeFileSync(join(folder, 'iptables'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  process.env['PATH'] = `${folder}:${path}`;
  writeFileSync(shown, '-P FORWARD ACCEPT\n');
  const rules = ['one', 'two'].map((word): Rule => ({ table: 'filter', chain: 'FORWARD', words: [word] }));
  const kept = new KeptRules(['filter']);
  const look = async (): Promise<string> => {
    writeFileSync(calls, '');
    await kept.ensure(async () => rules);
    return readFileSync(calls, 'utf8').trim().split('\n').join(' ');
  };
  const all = readFileSync(shown, 'utf8');
  expect(await look()).toBe('-S -C -I -C -I -S');
  expect(await look()).toBe('-S -C -C -S');
  expect(await look()).toBe('-S');
  // Those of others change nothing.
  writeFileSync(shown, `-A FORWARD -j DROP\n${readFileSync(shown, 'utf8')}`);
  expect(await look()).toBe('-S');
  writeFileSync(shown, all);
  expect(await look()).toBe('-S -C -I -C -I -S');
  expect(readFileSync(shown, 'utf8').match(/slipway-network/g)).toHaveLength(2);
});
