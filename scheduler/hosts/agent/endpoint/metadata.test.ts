import type Docker from 'dockerode';
import { expect, test } from 'vitest';

import { taskSchema } from '../../wire/index.ts';
import { containerMetadata, type LiveTask, taskMetadata } from './metadata.ts';

test('how often a container was started again is told of one that has a restart policy, by version 4', () => {
  const task = taskSchema.parse({
    arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/abc',
    desiredStatus: 'RUNNING',
    containers: [
      { name: 'main', image: 'web', restartPolicy: { enabled: true } },
      { name: 'new', image: 'web', restartPolicy: { enabled: true } },
      { name: 'side', image: 'web' },
    ],
  });
  const info = {
    State: { Status: 'running' },
    Config: { Labels: {} },
    HostConfig: {},
    NetworkSettings: { Ports: {}, Networks: {} },
  } as unknown as Docker.ContainerInspectInfo;
  const live: LiveTask = {
    saved: {
      task,
      desired: 'RUNNING',
      failures: {},
      images: {},
      started: [],
      restarts: { main: { count: 3, exitCode: 1 } },
    },
    status: 'RUNNING',
    inspected: new Map(task.containers.map(({ name }) => [name, info])),
  };
  const of = (version: 'v3' | 'v4') => task.containers.map((container) => containerMetadata(live, container, version));
  expect(of('v4')).toMatchObject([{ RestartCount: 3 }, { RestartCount: 0 }, {}]);
  expect(of('v4')[2]).not.toHaveProperty('RestartCount');
  expect(of('v3')[0]).not.toHaveProperty('RestartCount');
});

test('version 4 tells how much of its ephemeral storage a task uses, once that was counted', () => {
  const arn = 'arn:aws:ecs:us-east-1:000000000000:task/default/abc';
  const task = taskSchema.parse({ arn, desiredStatus: 'RUNNING', ephemeralStorage: 21 });
  const saved = { task, desired: 'RUNNING' as const, failures: {}, images: {}, started: [] };
  const live = { saved, status: 'RUNNING' as const, inspected: new Map(), storage: 3 * 2 ** 20 + 1 };
  const host = { cluster: 'default' };
  expect(taskMetadata(live, host, 'v4')).toMatchObject({ EphemeralStorageMetrics: { Utilized: 4, Reserved: 21_504 } });
  expect(taskMetadata(live, host, 'v3')).not.toHaveProperty('EphemeralStorageMetrics');
  expect(taskMetadata({ ...live, storage: undefined }, host, 'v4')).not.toHaveProperty('EphemeralStorageMetrics');
});
