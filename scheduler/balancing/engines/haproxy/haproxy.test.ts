import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cookieKey, listenerOf } from '../../../routing/testing/generate.ts';
import {
  type DesiredState,
  type HttpListener,
  isQuiet,
  type Observation,
  type TargetGroup,
  type TrafficEngine,
} from '../contract.ts';
import { anyTls, askTls, certificateFor } from '../testing/certificates.ts';
import { ask, freshAddress, openRaw } from '../testing/raw.ts';
import { engineSuite, get } from '../testing/suite.ts';
import { groupOf, startTarget } from '../testing/targets.ts';
import { openHaproxy } from './engine.ts';

const program = '/usr/sbin/haproxy';

async function place(): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-haproxy-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

async function open(
  folder: string,
  given: Partial<Parameters<typeof openHaproxy>[0]> = {},
): Promise<TrafficEngine & AsyncDisposable> {
  const engine = await openHaproxy({ folder, program, hardStopAfter: 330, ...given });
  return Object.assign(engine, { [Symbol.asyncDispose]: () => engine.stop() });
}

function stateOf(generation: number, listener: HttpListener, groups: readonly TargetGroup[]): DesiredState {
  return { generation, cookieKey, certificates: [], listeners: [listener], targetGroups: groups };
}

/** Processes that work from the folder, by number. */
async function processesOf(folder: string): Promise<number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(folder)) found.push(Number(name));
    } catch {
      // It ended meanwhile.
    }
  }
  return found.sort((x, y) => x - y);
}

async function eventually(probe: () => Promise<boolean>): Promise<void> {
  await expect.poll(probe, { timeout: 60_000, interval: 20 }).toBe(true);
}

describe('HAProxy as an engine', () => {
  engineSuite(
    async () => {
      const { folder } = await place();
      const engine = await open(folder);
      return {
        engine,
        end: async () => {
          await engine.stop();
          await rm(folder, { recursive: true });
        },
      };
    },
    { rewrites: true },
  );
});

describe("HAProxy's process", () => {
  const forward = { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] } as const;

  it('changes targets, weights and shares without another one', async () => {
    await using where = await place();
    await using a = await startTarget('a');
    await using b = await startTarget('b');
    await using engine = await open(where.folder);
    const listener = listenerOf({
      address: freshAddress(),
      defaultAction: {
        kind: 'forward',
        targetGroups: [
          { id: 'g', weight: 1 },
          { id: 'h', weight: 1 },
        ],
      },
    });
    await engine.apply(stateOf(1, listener, [groupOf('g', [a.target()]), groupOf('h', [b.target()])]));
    const before = await processesOf(where.folder);
    const only = (id: string): HttpListener => ({
      ...listener,
      defaultAction: {
        kind: 'forward',
        targetGroups: [
          { id, weight: 5 },
          { id: id === 'g' ? 'h' : 'g', weight: 0 },
        ],
      },
    });
    const targetsOf = async (): Promise<string[]> => {
      const names = new Set<string>();
      for (let i = 0; i < 40; i++)
        names.add((await get(listener)).headers.find(([name]) => name === 'x-target')?.[1] ?? '');
      return [...names].sort();
    };
    expect(await targetsOf()).toEqual(['a', 'b']);
    await engine.apply(stateOf(2, only('g'), [groupOf('g', [a.target()]), groupOf('h', [b.target()])]));
    expect(await targetsOf()).toEqual(['a']);
    await engine.apply(
      stateOf(3, only('h'), [groupOf('g', [a.target()]), groupOf('h', [a.target(), { ...b.target(), weight: 7 }])]),
    );
    expect(await targetsOf()).toEqual(['a', 'b']);
    expect(await processesOf(where.folder)).toEqual(before);
  });

  it('outlives the server, and the next one goes on from what runs', async () => {
    await using where = await place();
    await using a = await startTarget('a');
    const listener = listenerOf({ address: freshAddress(), defaultAction: forward });
    const first = await open(where.folder);
    await first.apply(stateOf(7, listener, [groupOf('g', [a.target()])]));
    const before = await processesOf(where.folder);
    await first.close();
    await using second = await open(where.folder);
    expect((await second.observe()).generation).toBe(7);
    expect((await second.apply(stateOf(6, listener, [groupOf('g', [])]))).generation).toBe(7);
    await second.apply(stateOf(8, listener, [groupOf('g', [a.target('down')])]));
    expect((await get(listener)).status).toBe(503);
    expect(await processesOf(where.folder)).toEqual(before);
  });

  it('counts as serving by an older generation until its last worker of that time is gone', async () => {
    await using where = await place();
    await using a = await startTarget('a');
    await using engine = await open(where.folder);
    const listener = listenerOf({ address: freshAddress(), defaultAction: forward });
    const groups = [groupOf('g', [a.target()])];
    await engine.apply(stateOf(1, listener, groups));
    const tunnel = await openRaw(listener.address, listener.port);
    tunnel.send(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    expect((await tunnel.answer()).status).toBe(101);
    const other = {
      ...listener,
      rules: [{ id: 'r', conditions: [{ kind: 'path-pattern', values: ['/x'], regexValues: [] }], action: forward }],
    } as const;
    await engine.apply(stateOf(2, other, groups));
    await engine.apply(stateOf(3, other, [groupOf('g', [a.target('draining')])]));
    const target = { targetGroupId: 'g', registrationId: a.target().registrationId };
    let seen: Observation = await engine.observe();
    expect([seen.generation, seen.oldestServing, isQuiet(seen, target, 3)]).toEqual([3, 1, false]);
    expect(seen.targets).toMatchObject([{ inFlight: 1 }]);
    // Whoever takes over knows it too.
    await using next = await open(where.folder);
    expect((await next.observe()).oldestServing).toBe(1);
    tunnel[Symbol.dispose]();
    await eventually(async () => {
      seen = await engine.observe();
      return isQuiet(seen, target, 3);
    });
    expect(seen.oldestServing).toBe(3);
  });

  it('starts anew where it was killed', async () => {
    await using where = await place();
    await using a = await startTarget('a');
    await using engine = await open(where.folder);
    const listener = listenerOf({ address: freshAddress(), defaultAction: forward });
    await engine.apply(stateOf(1, listener, [groupOf('g', [a.target()])]));
    for (const pid of await processesOf(where.folder)) process.kill(pid, 'SIGKILL');
    await eventually(async () => (await processesOf(where.folder)).length === 0);
    await expect(engine.observe()).rejects.toThrow('does not run');
    const applied = await engine.apply(stateOf(1, listener, [groupOf('g', [a.target()])]));
    expect(applied.listeners.get(listener.id)).toEqual({ bound: true });
    expect((await get(listener)).status).toBe(200);
  });

  it('ends its workers with its master', async () => {
    await using where = await place();
    await using a = await startTarget('a');
    await using engine = await open(where.folder);
    const listener = listenerOf({ address: freshAddress(), defaultAction: forward });
    await engine.apply(stateOf(1, listener, [groupOf('g', [a.target()])]));
    process.kill((await processesOf(where.folder))[0]!, 'SIGKILL');
    await eventually(async () => (await processesOf(where.folder)).length === 0);
    await engine.apply(stateOf(2, listener, [groupOf('g', [a.target()])]));
    expect((await get(listener)).status).toBe(200);
  });

  it('lets nobody else read its files, and gives up being root', async () => {
    await using where = await place();
    await using a = await startTarget('a');
    const isRoot = process.getuid?.() === 0;
    await using engine = await open(where.folder, isRoot ? { user: { name: 'nobody', group: 'nogroup' } } : {});
    const listener = listenerOf({
      address: freshAddress(),
      defaultAction: forward,
      rules: [{ id: 'r', conditions: [{ kind: 'host-header', values: ['*x'], regexValues: ['y'] }], action: forward }],
    });
    await engine.apply(stateOf(1, listener, [groupOf('g', [a.target()])]));
    expect((await get(listener)).status).toBe(200);
    const files = await readdir(where.folder, { recursive: true });
    const modes = await Promise.all(files.map(async (name) => (await stat(join(where.folder, name))).mode & 0o077));
    expect(files.filter((_, i) => modes[i] !== 0)).toEqual([]);
    expect((await stat(where.folder)).mode & 0o077).toBe(0);
    const [master, worker] = await processesOf(where.folder);
    const uid = (pid: number): number => Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
    expect([uid(master!) === process.getuid!(), isRoot ? uid(worker!) !== 0 : true]).toEqual([true, true]);
  });

  it('has no more file handles than 65,536, which are its connections', async () => {
    await using where = await place();
    await using engine = await open(where.folder);
    await engine.apply(stateOf(1, listenerOf({ address: freshAddress() }), []));
    const [, worker] = await processesOf(where.folder);
    const limits = readFileSync(`/proc/${worker}/limits`, 'utf8');
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    expect(Number(soft)).toBeGreaterThan(100);
    expect(Number(soft)).toBeLessThanOrEqual(65_536);
  });

  it('is not taken for another program, nor from a folder that it cannot have', async () => {
    await using where = await place();
    await using a = await startTarget('a');
    await using engine = await open(where.folder);
    const listener = listenerOf({ address: freshAddress(), defaultAction: forward });
    await engine.apply(stateOf(1, listener, [groupOf('g', [a.target()])]));
    const before = await processesOf(where.folder);
    await expect(openHaproxy({ folder: where.folder, program: '/bin/true', hardStopAfter: 1 })).rejects.toThrow(
      'is not HAProxy 2.6 or newer',
    );
    await expect(openHaproxy({ folder: 'relative', program, hardStopAfter: 1 })).rejects.toThrow('absolute path');
    expect(await processesOf(where.folder)).toEqual(before);
    expect((await ask(listener.address, listener.port, 'GET / HTTP/1.0\r\n\r\n')).status).toBe(200);
  });

  it('keeps keys in files of its owner alone, renews them without a reload, and removes those of nobody', async () => {
    await using here = await place();
    await using engine = await open(here.folder);
    const listener = listenerOf({
      address: freshAddress(),
      protocol: 'HTTPS',
      tls: { certificates: ['one', 'two'], ...anyTls },
    });
    const certificates = [certificateFor('one', 'one.example.com'), certificateFor('two', 'two.example.com')];
    const state = { ...stateOf(1, listener, []), certificates };
    await engine.apply(state);
    const keys = join(here.folder, 'certificates');
    const files = async (): Promise<string[]> => (await readdir(keys)).filter((name) => name.endsWith('.pem'));
    expect(await files()).toHaveLength(2);
    for (const name of await files()) expect((await stat(join(keys, name))).mode & 0o777).toBe(0o600);
    expect((await stat(here.folder)).mode & 0o777).toBe(0o700);
    const before = await processesOf(here.folder);
    await engine.apply({
      ...state,
      generation: 2,
      certificates: [certificateFor('one', 'one.example.com'), certificates[1]!],
    });
    expect(await processesOf(here.folder)).toEqual(before);
    const fewer = { ...listener, tls: { ...anyTls, certificates: ['two'] } };
    await engine.apply({ ...stateOf(3, fewer, []), certificates: certificates.slice(1) });
    expect(await files()).toHaveLength(1);
    await engine.stop();
    expect(await readdir(keys)).toEqual([]);
  });

  it('takes no line of a name of a certificate for its own', async () => {
    await using here = await place();
    await using engine = await open(here.folder);
    const odd = certificateFor('odd', 'a b.example.com');
    const listener = listenerOf({
      address: freshAddress(),
      protocol: 'HTTPS',
      tls: { certificates: ['odd'], ...anyTls },
    });
    await engine.apply({ ...stateOf(1, listener, []), certificates: [odd] });
    const [list = ''] = (await readdir(join(here.folder, 'certificates'))).filter((name) => name.endsWith('.list'));
    expect(
      readFileSync(join(here.folder, 'certificates', list), 'utf8')
        .split(/\s/)
        .slice(1),
    ).toEqual(['nobody.invalid', '']);
    expect((await askTls(listener.address, listener.port, {})).version).toBe('TLSv1.3');
  });
});
