import type Docker from 'dockerode';
import { expect, test } from 'vitest';

import { taskSchema } from '../../wire/index.ts';
import { containerMetadata, type LiveTask } from './metadata.ts';

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
