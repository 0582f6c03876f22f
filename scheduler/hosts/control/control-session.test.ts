import { SubmitTaskStateChangeCommand } from '@aws-sdk/client-ecs';
import { systemClock } from '@slipway/storage/clock';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestControlPlane, until } from '../testing/bench.ts';

import { AgentBench } from '../testing/agent-peer.ts';
import type { EcsPorts } from '../../cluster/index.ts';
import { changeTask, stopTask } from '../../tasks/index.ts';

describe('the control connection', { timeout: 180_000 }, () => {
  let bench: AgentBench;
  let plane: TestControlPlane;
  beforeAll(async () => {
    bench = await AgentBench.open();
    ({ plane } = bench);
  });
  afterAll(() => bench[Symbol.asyncDispose]());
  const ref = { account: '000000000000', cluster: 'default' };
  const ports = (): EcsPorts => ({ records: plane.records, clock: systemClock }) as EcsPorts;

  test('connection and disconnection show in the record, with what the agent says of itself', async () => {
    const instance = await bench.register();
    const peer = bench.connect(instance);
    expect(await plane.untilConnected(instance, true)).toMatchObject({ agentVersion: '1.2.3', agentHash: 'abc' });
    peer.ws.close();
    expect((await plane.untilConnected(instance, false)).connectionId).toBeUndefined();
  });

  test('tasks are sent until their state change arrives, and stops as well', async () => {
    const instance = await bench.register();
    const task = await plane.place(await bench.simple(), instance);
    const peer = bench.connect(instance);
    const first = await peer.payload(task.arn, 'RUNNING');
    // Not acknowledged: it comes again.
    const again = await peer.frame(
      'PayloadMessage',
      (frame) =>
        frame.message.seqNum > first.frame.message.seqNum && frame.message.tasks.some(({ arn }) => arn === task.arn),
    );
    expect(again.message.messageId).not.toBe(first.frame.message.messageId);
    peer.send('AckRequest', { messageId: again.message.messageId });
    await plane.stopTask(task.id);
    await peer.payload(task.arn, 'STOPPED');
    await plane
      .client('one')
      .send(new SubmitTaskStateChangeCommand({ cluster: 'default', task: task.arn, status: 'STOPPED' }));
    expect(await plane.task(task.id)).toMatchObject({ lastStatus: 'STOPPED', stopCode: 'UserInitiated' });
  });

  test('the order to stop waits until no load balancer reaches the task, on a new connection too', async () => {
    const instance = await bench.register();
    const place = { targetGroupArn: 'arn:group', targetId: '10.0.0.1', address: '10.0.0.1', port: 80 };
    const target = { id: '0'.repeat(16), ...place, registeredAt: 0 };
    const running = { lastStatus: 'RUNNING', targets: [target] } as const;
    const { id, arn } = await plane.place(await bench.simple(), instance, running);
    const peer = bench.connect(instance);
    expect((await peer.payload(arn, 'RUNNING')).task).toMatchObject({ loadBalanced: true });
    await stopTask(ports(), ref, id, undefined);
    expect(await plane.task(id)).toMatchObject({ desiredStatus: 'STOPPED', lastStatus: 'DEACTIVATING' });
    // Another task's order is given meanwhile: what was to come of this one would have come before.
    const other = await plane.place(await bench.simple(), instance);
    await peer.payload(other.arn, 'RUNNING');
    await plane.stopTask(other.id);
    expect((await peer.payload(other.arn, 'STOPPED')).task).toMatchObject({ drained: true });
    const orders = peer.frames.flatMap(({ message }) => message.tasks ?? []).filter((task) => task.arn === arn);
    expect(orders.map(({ desiredStatus }) => desiredStatus)).not.toContain('STOPPED');
    const again = bench.connect(instance);
    const { task } = await again.payload(arn, 'RUNNING');
    expect(task).toMatchObject({ loadBalanced: true, knownStatus: 'DEACTIVATING' });
    const { message } = await again.frame('TaskManifestMessage');
    expect(message.tasks).toContainEqual(expect.objectContaining({ taskArn: arn, desiredStatus: 'RUNNING' }));
    await changeTask(ports(), ref, id, (now) => ({ ...now, targets: [{ ...target, quietAt: 1 }] }));
    expect((await again.payload(arn, 'STOPPED')).task).toMatchObject({ drained: true });
  });

  test('G4, G8: a new connection supersedes the old one and speaks with higher sequence numbers than anything seen', async () => {
    const instance = await bench.register();
    const task = await plane.place(await bench.simple(), instance);
    const old = bench.connect(instance);
    const first = await old.payload(task.arn, 'RUNNING');
    const seen = first.frame.message.seqNum + 5 * 2 ** 20;
    const fresh = bench.connect(instance, { seqNum: String(seen) });
    expect((await fresh.payload(task.arn, 'RUNNING')).frame.message.seqNum).toBeGreaterThan(seen);
    expect(await until(() => old.closed, 'the old connection closed')).toMatchObject({
      code: 1000,
      reason: 'superseded',
    });
    expect((await plane.instance(instance)).agentConnected).toBe(true);
  });

  test('the manifest names the tasks, and only unwanted ones are confirmed to be stopped', async () => {
    const instance = await bench.register();
    const wanted = await plane.place(await bench.simple(), instance);
    const peer = bench.connect(instance);
    const manifest = await peer.frame('TaskManifestMessage');
    expect(manifest.message['tasks']).toMatchObject([{ taskArn: wanted.arn, desiredStatus: 'RUNNING' }]);
    expect(manifest.message['timeline']).toBe(manifest.message.seqNum);
    const placedSince = await plane.place(await bench.simple(), instance);
    await peer.payload(placedSince.arn, 'RUNNING');
    const nobodys = wanted.arn.replace(wanted.id, 'f'.repeat(32));
    const others = wanted.arn.replace('/default/', '/other/');
    const stopCandidates = [wanted.arn, placedSince.arn, nobodys, others, 'nonsense'].map((taskArn) => ({ taskArn }));
    peer.send('TaskStopVerificationMessage', { messageId: manifest.message.messageId, stopCandidates });
    const ack = await peer.frame('TaskStopVerificationAck');
    expect(ack.message['stopTasks']).toMatchObject([{ taskArn: nobodys }]);
    expect(ack.message.messageId).toBe(manifest.message.messageId);
  });

  test('G7: garbage on a connection harms nobody', async () => {
    const instance = await bench.register();
    const peer = bench.connect(instance);
    await peer.frame('HeartbeatMessage');
    for (const text of [
      '',
      '{',
      '[]',
      '{"type":"AckRequest"}',
      '{"type":"Nonsense","message":{}}',
      '{"type":"TaskStopVerificationMessage","message":{"messageId":"x","stopCandidates":7}}',
    ]) {
      peer.ws.send(text);
    }
    const task = await plane.place(await bench.simple(), instance);
    await peer.payload(task.arn, 'RUNNING');
    expect(peer.closed).toBeUndefined();
  });
  test.each(['acs', 'tcs'] as const)(
    'a frame that is none, right behind the head (%s), ends its connection only',
    async (kind) => {
      const instance = await bench.register();
      const answer = await bench.upgradeThen(kind, instance, Buffer.from([0xff, 0xff, 0xff, 0xff]));
      expect(answer).toMatch(/^HTTP\/1.1 101 /);
      const peer = bench.connect(instance);
      await peer.frame('HeartbeatMessage');
      expect(peer.closed).toBeUndefined();
    },
  );
});
