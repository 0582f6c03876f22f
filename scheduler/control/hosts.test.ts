import { expect, test } from 'vitest';

import { createPlacementIndex } from '../placement/index.ts';
import { clusterKeys, type InstanceRecord, type TaskRecord, toJson } from '../state/index.ts';
import { ClusterView } from '../views/index.ts';
import { instanceRecord } from '../views/testing/instance-record.ts';
import { hostCondition } from './hosts.ts';

const minute = 60_000;

test('for how long a host is away is what this server saw, by a clock of its own, whatever the records say of when it left', () => {
  let monotonic = 1_000_000;
  let version = 0;
  const view = new ClusterView('a', 'c', createPlacementIndex({ seed: 1 }), () => monotonic);
  const put = (more: Partial<InstanceRecord>): void => {
    version += 1;
    const value = toJson(instanceRecord({ ...more, version }));
    view.apply([{ kind: 'put', key: clusterKeys.instance('i1'), value, version }]);
  };
  const task = { instanceId: 'i1', lastStatus: 'RUNNING', containers: [] } as unknown as TaskRecord;
  const patience = { ledSince: 0, replaceLostAfter: 5 * minute, replaceUnseenAfter: 5_000 };
  const after = (ms: number): string => {
    monotonic += ms;
    return hostCondition(view, task, monotonic, patience);
  };
  put({});
  // Noted by a server whose clock is an hour behind, and by one whose clock is an hour ahead.
  for (const connectivityChangedAt of [-60 * minute, 60 * minute]) {
    put({ agentConnected: false, connectivityChangedAt });
    expect(after(0)).toBe('ready');
    expect(after(5 * minute - 1)).toBe('ready');
    // What else changes of it starts no new wait.
    put({ agentConnected: false, connectivityChangedAt, tags: { a: 'b' } });
    expect(after(1)).toBe('lost');
    put({ agentConnected: true, connectivityChangedAt: connectivityChangedAt + 1 });
    expect(after(0)).toBe('ready');
  }
  // It was there in between, and nobody told.
  put({ agentConnected: false, connectivityChangedAt: 1 });
  after(4 * minute);
  put({ agentConnected: false, connectivityChangedAt: 2 });
  expect(after(4 * minute)).toBe('ready');
  // A new leader grants the whole time again.
  expect(hostCondition(view, task, monotonic + minute, { ...patience, ledSince: monotonic })).toBe('ready');
  put({ status: 'INACTIVE', agentConnected: false, connectivityChangedAt: 3 });
  expect(after(0)).toBe('lost');
  expect(view.disconnected.size).toBe(0);
});
