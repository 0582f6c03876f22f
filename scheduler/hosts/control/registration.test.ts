import {
  DiscoverPollEndpointCommand,
  RegisterContainerInstanceCommand,
  SubmitAttachmentStateChangesCommand,
  SubmitContainerStateChangeCommand,
  SubmitTaskStateChangeCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { type TestControlPlane, until } from '../testing/bench.ts';
import { principalOf } from '../testing/callers.ts';

import { AgentBench, resources } from '../testing/agent-peer.ts';

describe('who registers and connects', { timeout: 180_000 }, () => {
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
      attributes: [
        ...record.attributes,
        { name: 'stack', value: 'blue' },
        { name: 'ecs.old' },
        { name: 'slipway.old' },
      ],
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

  test('holds attributes of an agent to the rules of PutAttributes', async () => {
    const client = plane.client('one');
    const send = (...more: { name: string; value?: string }[]) => {
      const { attributes = [], ...rest } = resources(2048);
      return client.send(new RegisterContainerInstanceCommand({ ...rest, attributes: [...attributes, ...more] }));
    };
    const named = (message: RegExp) => ({ name: 'InvalidParameterException', message });
    await expect(send({ name: 'a b' })).rejects.toMatchObject(named(/Invalid attribute name 'a b'/));
    await expect(send({ name: 'a', value: ' b' })).rejects.toMatchObject(named(/Invalid value of attribute 'a'/));
    await expect(send({ name: 'ecs.availability-zone', value: 'x'.repeat(129) })).rejects.toMatchObject(
      named(/Invalid value of attribute 'ecs.availability-zone'/),
    );
    const many = Array.from({ length: 11 }, (_, index) => ({ name: `a${index}`, value: '1' }));
    await expect(send(...many)).rejects.toMatchObject(named(/at most 10 custom attributes, these are 11: a0, a1/));
    const { containerInstance } = await send({ name: 'ecs.availability-zone', value: 'rack 7' }, ...many.slice(1));
    const zone = containerInstance?.attributes?.find(({ name }) => name === 'ecs.availability-zone');
    expect(zone?.value).toBe('rack 7');
  });

  test('G2, G3: only the principal that registered an instance may act for it', async () => {
    const instance = await bench.register();
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

  describe('two hosts with the keys of one principal', () => {
    const [mine, theirs] = ['m'.repeat(43), 't'.repeat(43)];
    const denied = { name: 'AccessDeniedException', message: /another host registered it, with a secret of its own/ };
    const registerAgain = (arn: string, secret?: string) =>
      plane
        .client('one', secret)
        .send(new RegisterContainerInstanceCommand({ ...resources(2048), containerInstanceArn: arn }));

    test.each([
      ['with another secret', theirs],
      ['with no secret', undefined],
    ])('the second one, %s, may do nothing for the instance of the first', async (_how, secret) => {
      const instance = await bench.register({ secret: mine });
      const task = await plane.place(await bench.simple(), instance);
      const second = plane.client('one', secret);
      const change = { cluster: 'default', task: task.arn };
      await expect(registerAgain(instance, secret)).rejects.toMatchObject(denied);
      for (const command of [
        new DiscoverPollEndpointCommand({ cluster: 'default', containerInstance: instance }),
        new SubmitTaskStateChangeCommand({ ...change, status: 'STOPPED' }),
        new SubmitContainerStateChangeCommand({ ...change, containerName: 'main', status: 'STOPPED' }),
      ]) {
        await expect(second.send(command as SubmitTaskStateChangeCommand)).rejects.toMatchObject(denied);
      }
      for (const kind of ['acs', 'tcs'] as const) {
        const peer = bench.connect(instance, { kind, ...(secret === undefined ? {} : { secret }) });
        const refused = await until(() => peer.refused, 'a refusal');
        expect(refused).toMatchObject({ status: 403, body: /AccessDeniedException.*another host registered it/ });
      }
      expect(await plane.task(task.id)).toMatchObject({ lastStatus: 'PENDING', version: task.version });
      expect(await plane.instance(instance)).toMatchObject({ agentConnected: false });

      const first = plane.client('one', mine);
      await first.send(new DiscoverPollEndpointCommand({ cluster: 'default', containerInstance: instance }));
      await first.send(new SubmitTaskStateChangeCommand({ ...change, status: 'RUNNING' }));
      // No agent is ever handed an attachment.
      const attachments = [{ attachmentArn: `${task.arn}/eni`, status: 'ATTACHED' }];
      const said = (of: typeof attachments) =>
        first.send(new SubmitAttachmentStateChangesCommand({ cluster: 'default', attachments: of }));
      expect(await said([])).toMatchObject({ acknowledgment: 'ACCEPT' });
      await expect(said(attachments)).rejects.toThrow(/^The attachment arn:\S+\/eni is not known\.$/);
      await registerAgain(instance, mine);
      const peer = bench.connect(instance, { secret: mine });
      await peer.frame('HeartbeatMessage');
    });

    test('only the first one is sent the credentials of its tasks', async () => {
      const keys = { accessKeyId: 'KEY', secretAccessKey: 'key', sessionToken: 'token' };
      await using roles = await AgentBench.open({
        taskCredentials: () =>
          Promise.resolve({ ...keys, principal: principalOf('two'), expiresAt: Date.now() + 3_600_000 }),
      });
      const instance = await roles.register({ secret: mine });
      const definition = await roles.plane.register({
        taskRoleArn: 'arn:aws:iam::000000000000:role/app',
        containerDefinitions: [{ name: 'main', image: 'web', memory: 32 }],
      });
      const task = await roles.plane.place(definition, instance);
      const second = roles.connect(instance, { secret: theirs });
      await until(() => second.refused, 'a refusal');
      const first = roles.connect(instance, { secret: mine });
      const { task: sent } = await first.payload(task.arn, 'RUNNING');
      expect(sent.roleCredentials).toMatchObject(keys);
      expect(second.frames).toEqual([]);
    });

    test('an agent that knows of no secret (amazon-ecs-agent) works, until its host shows one', async () => {
      const instance = await bench.register();
      await registerAgain(instance);
      const before = bench.connect(instance);
      await before.frame('HeartbeatMessage');
      before.ws.terminate();
      expect(await plane.instance(instance)).not.toHaveProperty('secretHash');

      await registerAgain(instance, mine);
      await expect(registerAgain(instance)).rejects.toMatchObject(denied);
      await expect(registerAgain(instance, theirs)).rejects.toMatchObject(denied);
      await bench.connect(instance, { secret: mine }).frame('HeartbeatMessage');
    });

    test('keeps no secret, and refuses one that could be guessed', async () => {
      const record = await plane.instance(await bench.register({ secret: mine }));
      expect(record.secretHash).toMatch(/^[\w-]{43}$/);
      expect(JSON.stringify(record)).not.toContain(mine);
      await expect(bench.register({ secret: 'short' })).rejects.toMatchObject({
        name: 'InvalidParameterException',
        message: 'The header x-slipway-host-secret must hold at least 22 random characters.',
      });
    });
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
