import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { TestControlPlane } from '../testing/bench.ts';
import { FakeEngine } from '../testing/fake-engine.ts';
import { taskSchema } from '../wire/index.ts';
import { EngineUnavailable } from './docker.ts';
import type { AllowedEscapes } from './policy.ts';
import { ensureVolume, VolumeError } from './volumes.ts';

let engine: FakeEngine;
beforeEach(async () => {
  engine = await FakeEngine.open();
});
afterEach(() => engine[Symbol.asyncDispose]());

const arn = 'arn:aws:ecs:us-east-1:000000000000:task/default/abc';

function ensure(name: string, configuration: object, allow: AllowedEscapes = {}, cluster = 'default'): Promise<void> {
  const volumes = [{ name, type: 'docker', dockerVolumeConfiguration: configuration }];
  const task = taskSchema.parse({
    arn,
    family: 'web',
    version: '3',
    desiredStatus: 'RUNNING',
    containers: [],
    volumes,
  });
  return ensureVolume(task, name, { docker: new Docker(engine.docker), agentId: 'me', cluster, allow });
}

const there = (Name: string, Labels: Record<string, string> = {}) => engine.volumes.set(Name, { Name, Labels });
const shared = { scope: 'shared', autoprovision: false } as const;

describe('F11: volumes that tasks share', () => {
  test.each([
    ['a database', {}],
    ['of compose', { 'com.docker.compose.project': 'slipway', 'com.docker.compose.volume': 'secrets' }],
    ['of one task', { 'dev.slipway.agent': 'me', 'com.amazonaws.ecs.task-arn': arn }],
    ['of another cluster', { 'dev.slipway.shared-volume': 'production' }],
  ])('that of somebody else is not one: %s', async (_whose, labels) => {
    there('data', labels);
    for (const autoprovision of [true, false])
      await expect(ensure('data', { scope: 'shared', autoprovision })).rejects.toThrow(
        /^the volume data of this container instance was not made for tasks of cluster default.* allow.volumes/,
      );
  });

  test('neither is one that Docker gives no labels for', async () => {
    engine.volumes.set('data', { Name: 'data', Labels: null as never });
    await expect(ensure('data', shared)).rejects.toThrow('was not made for tasks');
  });

  test('one that the operator names or labels is, and one that tasks of the cluster made', async () => {
    there('data');
    await ensure('data', shared, { volumes: ['data'] });
    await expect(ensure('data', shared, { volumes: ['dat'] })).rejects.toThrow('was not made for tasks');
    there('labelled', { 'dev.slipway.shared-volume': 'default' });
    await ensure('labelled', shared);
    await ensure('made', { scope: 'shared', autoprovision: true });
    await ensure('made', shared, {}, 'arn:aws:ecs:us-east-1:000000000000:cluster/default');
    await expect(ensure('made', shared, {}, 'other')).rejects.toThrow('was not made for tasks');
    await expect(ensure('absent', shared)).rejects.toThrow('No such volume');
    await expect(ensure('absent', shared)).rejects.toThrow(VolumeError);
    engine.fail = (request) => (request.startsWith('GET /volumes') ? 'drop' : undefined);
    await expect(ensure('absent', shared)).rejects.toThrow(EngineUnavailable);
    engine.fail = () => undefined;
  });

  test('the labels of a definition never say whose a volume is', async () => {
    const labels = { 'dev.slipway.shared-volume': 'production', 'dev.slipway.agent': 'other', mine: 'kept' };
    await ensure('made', { scope: 'shared', autoprovision: true, labels });
    expect(engine.volumes.get('made')?.Labels).toEqual({ 'dev.slipway.shared-volume': 'default', mine: 'kept' });
    await ensure('scratch', { scope: 'task', labels });
    const [scratch] = [...engine.volumes.values()].filter(({ Name }) => Name !== 'made');
    expect(scratch?.Labels).toEqual({
      'dev.slipway.agent': 'me',
      'com.amazonaws.ecs.task-arn': arn,
      mine: 'kept',
    });
  });

  test('a task that names one is stopped with the reason, and nothing is mounted', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'slipway-volumes-'));
    await using plane = await TestControlPlane.open();
    const agent = plane.agent({ dataDir, docker: engine.docker, inspectEvery: 100 });
    try {
      there('slipway_secrets', { 'com.docker.compose.project': 'slipway' });
      engine.images.add('local:latest');
      const { containerInstanceArn } = await agent.start();
      const mountPoints = [{ sourceVolume: 'slipway_secrets', containerPath: '/stolen' }];
      const definition = await plane.register({
        containerDefinitions: [{ name: 'main', image: 'local', essential: true, memory: 32, mountPoints }],
        volumes: [{ name: 'slipway_secrets', dockerVolumeConfiguration: shared }],
      });
      const { id } = await plane.place(definition, containerInstanceArn);
      const task = await plane.untilTask(id, 'STOPPED');
      expect(task.stoppedReason).toMatch(/^CannotCreateVolumeError: the volume slipway_secrets .* was not made/);
      expect(engine.containers.size).toBe(0);
    } finally {
      await agent.stop();
      await rm(dataDir, { recursive: true, force: true });
    }
  });
});
