import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../testbed/command.ts';

const text = readFileSync(join(import.meta.dirname, 'haproxy.cfg'), 'utf8');

/** The lines of a section, without comments. */
const section = (name: string): string[] =>
  (text.split(/^(?=\S)/m).find((part) => part.startsWith(`${name}\n`)) ?? '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

describe('the proxy before several servers', () => {
  test('has a configuration that HAProxy takes', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-proxy-'));
    try {
      const file = join(folder, 'haproxy.cfg');
      // The names are those of containers, which nobody knows here.
      writeFileSync(file, text.replaceAll(/ slipway-\d+:7500$/gm, ' 127.0.0.1:7500'));
      const { code, stdout, stderr } = await run('/usr/sbin/haproxy', ['-c', '-f', file]);
      expect([code, code === 0 ? '' : stdout + stderr]).toEqual([0, '']);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('asks each server in turn for sessions, and whichever has the fewest connections for all else', () => {
    const servers = (name: string): string[] => section(name).filter((line) => line.startsWith('server '));
    expect(servers('backend servers')).toEqual(['server slipway-1 slipway-1:7500', 'server slipway-2 slipway-2:7500']);
    expect(servers('backend sessions')).toEqual(servers('backend servers'));
    expect(section('backend servers')).toContain('balance leastconn');
    expect(section('backend sessions')).toContain('balance roundrobin');
    expect(section('frontend slipway')).toContain('use_backend sessions if { path_beg /agent/exec/ }');
  });
});
