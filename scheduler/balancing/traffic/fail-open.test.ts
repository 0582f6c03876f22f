import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { openEmbedded, openHaproxy, type TrafficEngine } from '../engines/index.ts';
import { ask, cookieKey, freshAddress, startTarget, valueOf } from '../engines/testing/index.ts';
import type { TargetRecord } from '../records/index.ts';
import { account, openWeb } from '../testing/open-balancing.ts';

import { desiredState } from './desired.ts';

const engines: Readonly<Record<TrafficEngine['kind'], (folder: string) => Promise<TrafficEngine>>> = {
  embedded: (folder) => openEmbedded({ folder }),
  haproxy: (folder) => openHaproxy({ folder, program: '/usr/sbin/haproxy', hardStopAfter: 30 }),
};

test.each(['embedded', 'haproxy'] as const)(
  'fails open: when all targets are unhealthy all that ever were healthy get requests (%s)',
  { timeout: 120_000 },
  async (kind) => {
    await using stack = new AsyncDisposableStack();
    const folder = await mkdtemp(join(tmpdir(), 'slipway-open-'));
    stack.defer(() => rm(folder, { recursive: true }));
    const [a, b, never] = [
      stack.use(await startTarget('a')),
      stack.use(await startTarget('b')),
      stack.use(await startTarget('never')),
    ];
    const engine = await engines[kind](folder);
    stack.defer(() => engine.stop());
    const { balancers, networks, call, groupArn } = await openWeb();
    await call('RegisterTargets', {
      TargetGroupArn: groupArn,
      Targets: [a, b, never].map(({ port }) => ({ Id: '10.0.0.1', Port: port })),
    });
    const [address, port] = [freshAddress(), 8080];

    /** Says how targets are, and who answers then. */
    async function answering(health: ReadonlyMap<number, TargetRecord['health']>): Promise<readonly string[]> {
      await balancers.change(account, (draft) => {
        for (const target of draft.all('target'))
          draft.put('target', { ...target, health: health.get(target.port) ?? target.health });
      });
      const desired = desiredState(await balancers.read(account), await networks.read(account), {
        cookieKey,
        certificates: new Map(),
      });
      const [listener] = desired.listeners;
      await engine.apply({
        ...desired,
        listeners: [{ ...listener!, address, port, admitted: ['0.0.0.0/0'] }],
        // The targets of this test, and its clients, are on this machine.
        targetGroups: desired.targetGroups.map((group) => ({
          ...group,
          targets: group.targets.map((target) => ({ ...target, address: '127.0.0.1' })),
        })),
      });
      const names = new Set<string>();
      for (let i = 0; i < 12; i++) {
        const answer = await ask(address, port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
        names.add(valueOf(answer, 'x-target') ?? String(answer.status));
      }
      return [...names].toSorted();
    }

    const unhealthy = { state: 'unhealthy', passed: true } as TargetRecord['health'];
    const healthy = { state: 'healthy', passed: true } as TargetRecord['health'];
    const neverHealthy = { state: 'unhealthy' } as TargetRecord['health'];
    const all = [
      [a.port, unhealthy],
      [b.port, unhealthy],
      [never.port, neverHealthy],
    ] as const;
    expect(await answering(new Map([...all, [b.port, healthy]]))).toEqual(['b']);
    expect(await answering(new Map(all))).toEqual(['a', 'b']);
    expect(await answering(new Map([...all, [a.port, healthy]]))).toEqual(['a']);
    expect(await answering(new Map(all.map(([at]) => [at, neverHealthy])))).toEqual(['503']);
  },
);
