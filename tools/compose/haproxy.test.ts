import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { acceptCopy, type CopyChannel, openCopy } from '@slipway/scheduler/exec/protocol';
import { freePort } from '@slipway/storage/testing';
import { describe, expect, test } from 'vitest';
import { run, until } from '../testbed/command.ts';

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

  test('lets the connections of copies through', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-proxy-'));
    const channels: CopyChannel[] = [];
    const server = createServer((_request, response) => response.end());
    server.on('upgrade', (request, socket, head) => {
      const channel = acceptCopy(request, socket, head);
      if (channel === undefined) return;
      channels.push(channel);
      channel.on('message', (bytes) => channel.say(Buffer.from(`heard ${bytes.toString()}`)));
      channel.resume();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const port = await freePort();
    const file = join(folder, 'haproxy.cfg');
    const servers = text.replaceAll(/ slipway-\d+:7500$/gm, ` 127.0.0.1:${(server.address() as AddressInfo).port}`);
    writeFileSync(file, servers.replace('bind :7500', `bind 127.0.0.1:${port}`).replace('maxconn 4096', 'maxconn 64'));
    const proxy = spawn('/usr/sbin/haproxy', ['-db', '-f', file], { stdio: 'ignore' });
    const ended = once(proxy, 'exit');
    try {
      for (const path of ['/exec/copy', '/agent/exec/copy']) {
        const url = new URL(path, `http://127.0.0.1:${port}`);
        const channel = await until('a connection', 180_000, () => openCopy(url, {}));
        channels.push(channel);
        const told = once(channel, 'message');
        channel.resume();
        channel.say(Buffer.from(path));
        expect(String((await told)[0])).toBe(`heard ${path}`);
      }
    } finally {
      for (const channel of channels) channel.terminate();
      proxy.kill('SIGKILL');
      await ended;
      server.closeAllConnections();
      server.close();
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
