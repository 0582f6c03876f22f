import {
  DiscoverPollEndpointCommand,
  RegisterContainerInstanceCommand,
  SubmitTaskStateChangeCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestControlPlane, until } from '../testing/bench.ts';

import { AgentBench, resources } from '../testing/agent-peer.ts';

describe('who registers and connects', { timeout: 30_000 }, () => {
  let bench: AgentBench;
  let plane: TestControlPlane;
  beforeAll(async () => {
    bench = await AgentBench.open();
    ({ plane } = bench);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  test('registration echoes every attribute, adds the zone, and knows its instance again', async () => {
    const client = plane.client('one');
    const first = await client.send(new RegisterContainerInstanceCommand(resources(2048)));
    expect(first.containerInstance?.attributes).toEqual([
      { name: 'ecs.os-type', value: 'linux' },
      { name: 'com.amazonaws.ecs.capability.ecr-auth' },
      { name: 'ecs.availability-zone', value: 'us-east-1a' },
    ]);
    const arn = first.containerInstance?.containerInstanceArn ?? '';
    const record = await plane.instance(arn);
    await plane.putInstance({
      ...record,
      attributes: [...record.attributes, { name: 'stack', value: 'blue' }, { name: 'ecs.old' }],
    });
    const again = await client.send(
      new RegisterContainerInstanceCommand({ ...resources(2048), containerInstanceArn: arn }),
    );
    expect(again.containerInstance?.containerInstanceArn).toBe(arn);
    expect(again.containerInstance?.attributes?.map(({ name }) => name)).toEqual([
      'ecs.os-type',
      'com.amazonaws.ecs.capability.ecr-auth',
      'ecs.availability-zone',
      'stack',
    ]);
    const changed = client.send(
      new RegisterContainerInstanceCommand({ ...resources(1024), containerInstanceArn: arn }),
    );
    await expect(changed).rejects.toMatchObject({
      name: 'ClientException',
      message: /resource changes are not supported/,
    });
  });

  test('refuses registrations that make no sense, and says what is wrong', async () => {
    const client = plane.client('one');
    const send = (input: object) => client.send(new RegisterContainerInstanceCommand({ ...resources(2048), ...input }));
    await expect(send({ cluster: 'nowhere' })).rejects.toMatchObject({ name: 'ClusterNotFoundException' });
    await expect(send({ totalResources: [] })).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: /CPU/,
    });
    const stranger = 'arn:aws:ecs:us-east-1:000000000000:container-instance/default/0123';
    await expect(send({ containerInstanceArn: stranger })).rejects.toMatchObject({ message: /not registered/ });
    await expect(send({ containerInstanceArn: 'nonsense:' })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
  });

  test('G2, G3: only the principal that registered an instance may act for it', async () => {
    const instance = await bench.register('one');
    const task = await plane.place(await bench.simple(), instance);
    const two = plane.client('two');
    const denied = { name: 'AccessDeniedException' };
    await expect(
      two.send(new RegisterContainerInstanceCommand({ ...resources(2048), containerInstanceArn: instance })),
    ).rejects.toMatchObject(denied);
    await expect(
      two.send(new DiscoverPollEndpointCommand({ cluster: 'default', containerInstance: instance })),
    ).rejects.toMatchObject(denied);
    await expect(
      two.send(new SubmitTaskStateChangeCommand({ cluster: 'default', task: task.arn, status: 'STOPPED' })),
    ).rejects.toMatchObject(denied);
    expect((await plane.task(task.id)).lastStatus).toBe('PENDING');
    for (const kind of ['acs', 'tcs'] as const) {
      const peer = bench.connect(instance, { who: 'two', kind });
      expect(await until(() => peer.refused, 'a refusal')).toMatchObject({
        status: 403,
        body: /AccessDeniedException/,
      });
    }
  });

  test('G7: a state change of an unknown task is refused for good', async () => {
    const send = (input: { task: string; status: string }) =>
      plane.client('one').send(new SubmitTaskStateChangeCommand({ cluster: 'default', ...input }));
    const task = 'arn:aws:ecs:us-east-1:000000000000:task/default/none';
    await expect(send({ task, status: 'RUNNING' })).rejects.toMatchObject({ name: 'InvalidParameterException' });
    await expect(send({ task, status: 'DANCING' })).rejects.toMatchObject({
      message: /must be PENDING, RUNNING or STOPPED/,
    });
  });

  test('the two WebSockets are found on the address the client used', async () => {
    const instance = await bench.register();
    const answer = await plane
      .client('one')
      .send(new DiscoverPollEndpointCommand({ cluster: 'default', containerInstance: instance }));
    expect(answer.endpoint).toBe(`${plane.endpoint}/agent/acs`);
    expect(answer.telemetryEndpoint).toBe(`${plane.endpoint}/agent/tcs`);
  });

  test('G10: a deregistered instance is told so before the connection opens', async () => {
    const instance = await bench.register();
    await plane.putInstance({ ...(await plane.instance(instance)), status: 'INACTIVE' });
    const peer = bench.connect(instance);
    const refused = await until(() => peer.refused, 'a refusal');
    expect(refused.status).toBe(400);
    expect(Object.keys(JSON.parse(refused.body) as object)).toEqual(['InactiveInstanceException']);
  });
});
