import { randomBytes } from 'node:crypto';

import {
  DiscoverPollEndpointCommand,
  RegisterContainerInstanceCommand,
  type RegisterContainerInstanceCommandInput,
  SubmitTaskStateChangeCommand,
} from '@aws-sdk/client-ecs';
import { systemClock } from '@slipway/storage/clock';
import aws4 from 'aws4';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';

import { keysOf, region, silent, TestControlPlane, until } from '../agent/test-bench.ts';
import { clusterKeys } from '../state/index.ts';

import { ConnectionSweeper, serverSilence } from './connections.ts';
import { credentialMargin } from './credentials.ts';
import type { AcsTask } from './messages.ts';

interface Frame {
  readonly type: string;
  readonly message: {
    readonly messageId: string;
    readonly seqNum: number;
    readonly tasks: readonly AcsTask[];
  } & Record<string, unknown>;
}

/** A bare client of the two WebSockets: what it received, and how it ended. */
class Peer {
  readonly frames: Frame[] = [];
  readonly ws: WebSocket;
  closed: { code: number; reason: string } | undefined;
  refused: { status: number; body: string } | undefined;

  constructor(plane: TestControlPlane, who: 'one' | 'two', path: string, query: Record<string, string>) {
    const url = new URL(`${plane.endpoint}${path}`);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    const signed = aws4.sign(
      {
        service: 'ecs',
        region,
        method: 'GET',
        host: url.host,
        path: `${url.pathname}${url.search}`,
        headers: { Host: url.host },
      },
      keysOf(who),
    );
    this.ws = new WebSocket(url.href.replace('http', 'ws'), { headers: signed.headers as Record<string, string> });
    this.ws.on('message', (data) => this.frames.push(JSON.parse((data as Buffer).toString()) as Frame));
    this.ws.on('close', (code, reason) => {
      this.closed = { code, reason: String(reason) };
    });
    this.ws.on('error', () => undefined);
    this.ws.on('unexpected-response', (_request, response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += String(chunk);
      });
      response.on('end', () => {
        this.refused = { status: response.statusCode ?? 0, body };
      });
    });
  }

  send(type: string, message: object): void {
    this.ws.send(JSON.stringify({ type, message }));
  }

  frame(type: string, matches: (frame: Frame) => boolean = () => true): Promise<Frame> {
    return until(() => this.frames.find((frame) => frame.type === type && matches(frame)), `a ${type}`);
  }

  /** The first payload that names a task with a desired status. */
  async payload(taskArn: string, desired: string): Promise<{ frame: Frame; task: AcsTask }> {
    const names = (frame: Frame): AcsTask | undefined =>
      frame.message.tasks.find((task) => task.arn === taskArn && task.desiredStatus === desired);
    const frame = await this.frame('PayloadMessage', (candidate) => names(candidate) !== undefined);
    return { frame, task: names(frame) as AcsTask };
  }
}

const resources = (cpu: number): RegisterContainerInstanceCommandInput => ({
  cluster: 'default',
  totalResources: [
    { name: 'CPU', type: 'INTEGER', integerValue: cpu },
    { name: 'MEMORY', type: 'INTEGER', integerValue: 4096 },
    { name: 'PORTS', type: 'STRINGSET', stringSetValue: ['22', '2375'] },
    { name: 'PORTS_UDP', type: 'STRINGSET', stringSetValue: [] },
  ],
  attributes: [{ name: 'ecs.os-type', value: 'linux' }, { name: 'com.amazonaws.ecs.capability.ecr-auth' }],
});

describe('the control plane, seen by agents', { timeout: 30_000 }, () => {
  let plane: TestControlPlane;
  const peers: Peer[] = [];

  beforeAll(async () => {
    plane = await TestControlPlane.open();
  });
  afterAll(async () => {
    for (const peer of peers) peer.ws.terminate();
    await plane[Symbol.asyncDispose]();
  });

  const register = async (who: 'one' | 'two' = 'one'): Promise<string> => {
    const { containerInstance } = await plane.client(who).send(new RegisterContainerInstanceCommand(resources(2048)));
    return containerInstance?.containerInstanceArn ?? '';
  };
  const connect = (
    instance: string,
    more: { who?: 'one' | 'two'; seqNum?: string; kind?: 'acs' | 'tcs'; plane?: TestControlPlane } = {},
  ): Peer => {
    const { who = 'one', seqNum = '1', kind = 'acs' } = more;
    const query =
      kind === 'acs'
        ? {
            agentHash: 'abc',
            agentVersion: '1.2.3',
            clusterArn: 'default',
            containerInstanceArn: instance,
            dockerVersion: 'DockerVersion: 20.10',
            protocolVersion: '2',
            sendCredentials: 'true',
            seqNum,
          }
        : {
            agentHash: 'abc',
            agentVersion: '1.2.3',
            cluster: 'default',
            containerInstance: instance,
            dockerVersion: 'DockerVersion: 20.10',
          };
    const peer = new Peer(more.plane ?? plane, who, `/agent/${kind}/ws`, query);
    peers.push(peer);
    return peer;
  };
  const simple = () =>
    plane.register({ containerDefinitions: [{ name: 'main', image: 'web', essential: true, memory: 32 }] });

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

  test('only the principal that registered an instance may act for it', async () => {
    const instance = await register('one');
    const task = await plane.place(await simple(), instance);
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
      const peer = connect(instance, { who: 'two', kind });
      expect(await until(() => peer.refused, 'a refusal')).toMatchObject({
        status: 403,
        body: /AccessDeniedException/,
      });
    }
  });

  test('a state change of an unknown task is refused for good', async () => {
    const send = (input: { task: string; status: string }) =>
      plane.client('one').send(new SubmitTaskStateChangeCommand({ cluster: 'default', ...input }));
    const task = 'arn:aws:ecs:us-east-1:000000000000:task/default/none';
    await expect(send({ task, status: 'RUNNING' })).rejects.toMatchObject({ name: 'InvalidParameterException' });
    await expect(send({ task, status: 'DANCING' })).rejects.toMatchObject({
      message: /must be PENDING, RUNNING or STOPPED/,
    });
  });

  test('the two WebSockets are found on the address the client used', async () => {
    const instance = await register();
    const answer = await plane
      .client('one')
      .send(new DiscoverPollEndpointCommand({ cluster: 'default', containerInstance: instance }));
    expect(answer.endpoint).toBe(`${plane.endpoint}/agent/acs`);
    expect(answer.telemetryEndpoint).toBe(`${plane.endpoint}/agent/tcs`);
  });

  test('a deregistered instance is told so before the connection opens', async () => {
    const instance = await register();
    await plane.putInstance({ ...(await plane.instance(instance)), status: 'INACTIVE' });
    const peer = connect(instance);
    const refused = await until(() => peer.refused, 'a refusal');
    expect(refused.status).toBe(400);
    expect(Object.keys(JSON.parse(refused.body) as object)).toEqual(['InactiveInstanceException']);
  });

  test('connection and disconnection show in the record, with what the agent says of itself', async () => {
    const instance = await register();
    const peer = connect(instance);
    expect(await plane.untilConnected(instance, true)).toMatchObject({ agentVersion: '1.2.3', agentHash: 'abc' });
    peer.ws.close();
    expect((await plane.untilConnected(instance, false)).connectionId).toBeUndefined();
  });

  test('tasks are sent until their state change arrives, and stops as well', async () => {
    const instance = await register();
    const task = await plane.place(await simple(), instance);
    const peer = connect(instance);
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

  test('a new connection supersedes the old one and speaks with higher sequence numbers than anything seen', async () => {
    const instance = await register();
    const task = await plane.place(await simple(), instance);
    const old = connect(instance);
    const first = await old.payload(task.arn, 'RUNNING');
    const seen = first.frame.message.seqNum + 5 * 2 ** 20;
    const fresh = connect(instance, { seqNum: String(seen) });
    expect((await fresh.payload(task.arn, 'RUNNING')).frame.message.seqNum).toBeGreaterThan(seen);
    expect(await until(() => old.closed, 'the old connection closed')).toMatchObject({
      code: 1000,
      reason: 'superseded',
    });
    expect((await plane.instance(instance)).agentConnected).toBe(true);
  });

  test('the manifest names the tasks, and only unwanted ones are confirmed to be stopped', async () => {
    const instance = await register();
    const wanted = await plane.place(await simple(), instance);
    const peer = connect(instance);
    const manifest = await peer.frame('TaskManifestMessage');
    expect(manifest.message['tasks']).toMatchObject([{ taskArn: wanted.arn, desiredStatus: 'RUNNING' }]);
    expect(manifest.message['timeline']).toBe(manifest.message.seqNum);
    const placedSince = await plane.place(await simple(), instance);
    await peer.payload(placedSince.arn, 'RUNNING');
    const stopCandidates = [wanted.arn, placedSince.arn, 'arn:of:nobody'].map((taskArn) => ({ taskArn }));
    peer.send('TaskStopVerificationMessage', { messageId: manifest.message.messageId, stopCandidates });
    const ack = await peer.frame('TaskStopVerificationAck');
    expect(ack.message['stopTasks']).toMatchObject([{ taskArn: 'arn:of:nobody' }]);
    expect(ack.message.messageId).toBe(manifest.message.messageId);
  });

  test('a task is rendered as amazon-ecs-agent reads it', async () => {
    const instance = await register();
    const definition = await plane.register({
      networkMode: 'bridge',
      containerDefinitions: [
        {
          name: 'main',
          image: `${plane.endpoint.slice('http://'.length)}/web@sha256:${'0'.repeat(64)}`,
          essential: true,
          cpu: 10,
          memory: 64,
          memoryReservation: 32,
          environment: [{ name: 'A', value: '1' }],
          portMappings: [{ containerPort: 8080 }],
          healthCheck: { command: ['CMD-SHELL', 'true'], interval: 5 },
          user: 'nobody',
          ulimits: [{ name: 'nofile', softLimit: 1024, hardLimit: 2048 }],
          linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
          logConfiguration: { logDriver: 'json-file', options: { 'max-size': '1m' } },
        },
      ],
    });
    const task = await plane.place(definition, instance, {
      overrides: {
        containerOverrides: [{ name: 'main', command: ['serve'], environment: [{ name: 'A', value: '2' }] }],
      },
    });
    const { task: rendered } = await connect(instance).payload(task.arn, 'RUNNING');
    expect(rendered).toMatchObject({
      taskClusterArn: 'arn:aws:ecs:us-east-1:000000000000:cluster/default',
      family: definition.family,
      version: '1',
      networkMode: 'bridge',
      overrides: '{"containerOverrides":[]}',
    });
    const [container] = rendered.containers;
    expect(container).toMatchObject({
      cpu: 10,
      memory: 64,
      command: ['serve'],
      environment: { A: '2' },
      overrides: '{}',
      portMappings: [{ containerPort: 8080, hostPort: 0, protocol: 'tcp' }],
      healthCheckType: 'docker',
      registryAuthentication: {
        type: 'ecr',
        ecrAuthData: { registryId: '000000000000', region, endpointOverride: plane.endpoint, useExecutionRole: false },
      },
    });
    expect(container).not.toHaveProperty('entryPoint');
    expect(JSON.parse(container?.dockerConfig.config ?? '')).toEqual({
      User: 'nobody',
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 5e9, Timeout: 5e9, Retries: 3 },
    });
    expect(JSON.parse(container?.dockerConfig.hostConfig ?? '')).toEqual({
      NetworkMode: 'bridge',
      MemoryReservation: 32 * 1024 * 1024,
      CapDrop: ['ALL'],
      Init: true,
      Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 2048 }],
      LogConfig: { Type: 'json-file', Config: { 'max-size': '1m' } },
    });
  });

  test('a task that cannot be rendered is stopped, and says why', async () => {
    const instance = await register();
    const gone = await plane.place(await simple(), instance, {
      taskDefinition: 'arn:aws:ecs:us-east-1:000000000000:task-definition/never:7',
    });
    const role = await plane.register({
      taskRoleArn: 'arn:aws:iam::000000000000:role/app',
      containerDefinitions: [{ name: 'main', image: 'web', memory: 32 }],
    });
    const roleless = await plane.place(role, instance);
    connect(instance);
    expect((await plane.untilTask(gone.id, 'STOPPED')).stoppedReason).toMatch(/never:7 is gone/);
    expect(await plane.untilTask(roleless.id, 'STOPPED')).toMatchObject({
      stopCode: 'TaskFailedToStart',
      stoppedReason: /no task role credentials/,
    });
  });

  test('telemetry: health goes to the record when it changes, an impaired runtime disconnects, metrics are kept', async () => {
    const instance = await register();
    const definition = await plane.register({
      containerDefinitions: [
        { name: 'main', image: 'web', memory: 32, essential: true, healthCheck: { command: ['true'] } },
      ],
    });
    const task = await plane.place(definition, instance);
    const foreign = await plane.place(definition, await register());
    connect(instance);
    await plane.untilConnected(instance, true);
    const peer = connect(instance, { kind: 'tcs' });
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
            },
          ],
        })),
      },
    };
    peer.ws.send(`Host: x\r\nAuthorization: y\r\n\r\n${JSON.stringify(metrics)}`);
    await peer.frame('AckPublishMetric');
    const kept = plane.control.metrics();
    expect(kept.map(({ taskArn }) => taskArn)).toEqual([task.arn]);
    expect(kept[0]?.containers).toEqual([{ containerName: 'main', cpuPercent: 2, memoryMiB: 5 }]);
    expect((await plane.task(task.id)).version).toBe(healthy.version);
    expect((await plane.task(foreign.id)).healthStatus).toBe('UNKNOWN');

    peer.send('PublishInstanceStatusRequest', { statuses: [{ type: 'ContainerRuntime', status: 'IMPAIRED' }] });
    await plane.untilConnected(instance, false);
    peer.send('PublishInstanceStatusRequest', { statuses: [{ type: 'ContainerRuntime', status: 'OK' }] });
    await plane.untilConnected(instance, true);
  });

  test('garbage on a connection harms nobody', async () => {
    const instance = await register();
    const peer = connect(instance);
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
    const task = await plane.place(await simple(), instance);
    await peer.payload(task.arn, 'RUNNING');
    expect(peer.closed).toBeUndefined();
  });

  test('credentials of a task keep their id, are renewed before they end, and end with the task', async () => {
    let issued = 0;
    const revoked: string[] = [];
    await using roles = await TestControlPlane.open({
      taskCredentials: (roleArn, taskArn) => {
        issued += 1;
        return Promise.resolve({
          accessKeyId: `KEY${issued}`,
          secretAccessKey: `${roleArn} ${taskArn}`,
          sessionToken: 'token',
          // The first ones come near their end a moment after they were sent.
          expiresAt: Date.now() + credentialMargin + (issued === 1 ? 500 : 3_600_000),
        });
      },
      revokeTaskCredentials: (accessKeyId) => Promise.resolve(void revoked.push(accessKeyId)),
    });
    const { containerInstance } = await roles.client('one').send(new RegisterContainerInstanceCommand(resources(2048)));
    const instance = containerInstance?.containerInstanceArn ?? '';
    const definition = await roles.register({
      taskRoleArn: 'arn:aws:iam::000000000000:role/app',
      containerDefinitions: [{ name: 'main', image: 'web', memory: 32 }],
    });
    const task = await roles.place(definition, instance);
    const peer = connect(instance, { plane: roles });
    const { frame, task: sent } = await peer.payload(task.arn, 'RUNNING');
    peer.send('AckRequest', { messageId: frame.message.messageId });
    expect(sent.roleCredentials).toMatchObject({ accessKeyId: 'KEY1', roleArn: 'arn:aws:iam::000000000000:role/app' });
    expect(sent.roleCredentials?.credentialsId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

    const renewal = await peer.frame('IAMRoleCredentialsMessage');
    expect(renewal.message).toMatchObject({
      taskArn: task.arn,
      roleType: 'TaskApplication',
      roleCredentials: { credentialsId: sent.roleCredentials?.credentialsId, accessKeyId: 'KEY2' },
    });
    await roles.putTask({ ...task, desiredStatus: 'STOPPED', lastStatus: 'STOPPED', version: task.version + 1 });
    await until(() => (revoked.length > 0 ? true : undefined), 'the end of the credentials');
    expect(revoked).toEqual(['KEY2']);
  });

  test('connections of a server that died are found by the others', async () => {
    const instance = await register();
    const record = await plane.instance(instance);
    await plane.putInstance({ ...record, agentConnected: true, connectionId: 'dead.1', channelGeneration: 4 });
    await plane.records.commit('ecs/000000000000/default', {
      put: [{ key: clusterKeys.connectionServer('dead'), value: { beat: 9 } }],
    });
    let now = 0;
    const clock = { ...systemClock, monotonic: () => now };
    const sweeper = new ConnectionSweeper({
      records: plane.records,
      clock,
      random: randomBytes,
      region,
      log: silent,
      credentialIdKey: Buffer.alloc(16),
    });
    await sweeper.sweep('000000000000', 'default');
    now = serverSilence - 1;
    await sweeper.sweep('000000000000', 'default');
    expect((await plane.instance(instance)).agentConnected).toBe(true);
    now = serverSilence + 1;
    await sweeper.sweep('000000000000', 'default');
    expect(await plane.instance(instance)).toMatchObject({ agentConnected: false, channelGeneration: 4 });
    expect((await plane.instance(instance)).connectionId).toBeUndefined();
  });
});
