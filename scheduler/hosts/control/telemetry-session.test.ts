import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestControlPlane, until } from '../testing/bench.ts';

import { AgentBench } from '../testing/agent-peer.ts';

describe('the telemetry connection', { timeout: 180_000 }, () => {
  let bench: AgentBench;
  let plane: TestControlPlane;
  beforeAll(async () => {
    bench = await AgentBench.open();
    ({ plane } = bench);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test('telemetry: health goes to the record when it changes, an impaired runtime disconnects, metrics are kept', async () => {
    const instance = await bench.register();
    const definition = await plane.register({
      containerDefinitions: [
        { name: 'main', image: 'web', memory: 32, essential: true, healthCheck: { command: ['true'] } },
      ],
    });
    const task = await plane.place(definition, instance, { lastStatus: 'RUNNING' });
    const foreign = await plane.place(definition, await bench.register());
    bench.connect(instance);
    await plane.untilConnected(instance, true);
    const peer = bench.connect(instance, { kind: 'tcs' });
    await peer.frame('HeartbeatMessage');
    const health = (taskArn: string, healthStatus: string): void =>
      peer.send('PublishHealthRequest', {
        tasks: [{ taskArn, containers: [{ containerName: 'main', healthStatus }] }],
      });
    health(foreign.arn, 'UNHEALTHY');
    health(task.arn, 'HEALTHY');
    const healthy = await until(async () => {
      const current = await plane.task(task.id);
      return current.healthStatus === 'HEALTHY' ? current : undefined;
    }, 'HEALTHY');
    health(task.arn, 'HEALTHY');
    // With the headers that amazon-ecs-agent puts before its frames.
    const metrics = {
      type: 'PublishMetricsRequest',
      message: {
        taskMetrics: [task, foreign].map(({ arn }) => ({
          taskArn: arn,
          containerMetrics: [
            {
              containerName: 'main',
              cpuStatsSet: { min: 1, max: 3, sum: 4, sampleCount: 2 },
              memoryStatsSet: { min: 5, max: 5, sum: 5, sampleCount: 1 },
              networkStatsSet: { rxBytesPerSecond: { min: 7, max: 7, sum: 7, sampleCount: 1 } },
            },
          ],
        })),
      },
    };
    const kept = await until(() => {
      peer.ws.send(`Host: x\r\nAuthorization: y\r\n\r\n${JSON.stringify(metrics)}`);
      return plane.usage.newest()[0] === undefined ? undefined : plane.usage.newest();
    }, 'numbers of the task');
    await peer.frame('AckPublishMetric');
    // Percent of the host: it has registered 2,048 units.
    expect(kept.map(({ usage }) => usage)).toEqual([
      { task: expect.objectContaining({ arn: task.arn }) as unknown, cpu: 40.96, memory: 5, received: 7 },
    ]);
    expect((await plane.task(task.id)).version).toBe(healthy.version);
    expect((await plane.task(foreign.id)).healthStatus).toBe('UNKNOWN');

    peer.send('PublishInstanceStatusRequest', { statuses: [{ type: 'ContainerRuntime', status: 'IMPAIRED' }] });
    await plane.untilConnected(instance, false);
    peer.send('PublishInstanceStatusRequest', { statuses: [{ type: 'ContainerRuntime', status: 'OK' }] });
    await plane.untilConnected(instance, true);
  });
});
