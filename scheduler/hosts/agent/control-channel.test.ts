import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

import { ControlHandler } from './control-channel.ts';
import type { AgentTask, NetworkState } from '../wire/index.ts';
import type { TaskReport } from './report.ts';
import { until } from '../testing/bench.ts';
import { silent } from '../testing/callers.ts';

/** A connection over a real socket: the server's end for the test, the agent's end for the handler. */
describe("the agent's end of the control connection", () => {
  let server: WebSocketServer;
  let near: WebSocket;
  let far: WebSocket;
  let received: { type: string; message: Record<string, unknown> }[];
  let applied: AgentTask[];
  let stopped: string[];
  let reports: TaskReport[];
  let learned: unknown[][];
  let generations: number[];
  let over: string[][];
  let wanted: string[][];
  let networks: NetworkState[];
  let applies: (state: NetworkState) => Promise<void>;

  beforeEach(async () => {
    [received, applied, stopped, reports, generations, learned, over, wanted] = [[], [], [], [], [], [], [], []];
    networks = [];
    applies = async () => undefined;
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await new Promise((resolve) => server.once('listening', resolve));
    const connected = new Promise<WebSocket>((resolve) => server.once('connection', resolve));
    near = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    far = await connected;
    far.on('message', (data) => received.push(JSON.parse((data as Buffer).toString()) as (typeof received)[number]));
    const handler = new ControlHandler({
      network: {
        apply: (state) => {
          networks.push(state);
          return applies(state);
        },
      },
      engine: {
        apply: (task) => Promise.resolve(void applied.push(task)),
        has: (arn) => arn === 'arn:kept',
        notIn: (wanted) => Promise.resolve(['arn:kept', 'arn:unwanted'].filter((arn) => !wanted.has(arn))),
        reportOver: (named) => over.push([...named]),
        stopTask: (arn) => Promise.resolve(void stopped.push(arn)),
      },
      log: silent,
      cluster: 'default',
      containerInstanceArn: 'arn:instance',
      report: (report) => reports.push(report),
      learn: (...learnt) => void learned.push(learnt),
      learnSecrets: () => undefined,
      execWanted: ({ sessionId, taskArn }) => void wanted.push([sessionId, taskArn]),
      seenSequence: 3 * 2 ** 20 + 7,
      sawGeneration: (sequence) => Promise.resolve(void generations.push(sequence)),
    });
    handler.serve(near);
  });

  afterEach(() => {
    near.terminate();
    server.close();
  });

  const send = (type: string, message: object): void => far.send(JSON.stringify({ type, message }));
  const reply = (type: string) => until(() => received.find((frame) => frame.type === type), `a ${type}`);

  test('carries out stops before starts and acknowledges', async () => {
    const container = { name: 'main', image: 'web' };
    send('PayloadMessage', {
      messageId: 'm',
      seqNum: 4 * 2 ** 20,
      tasks: [
        { arn: 'arn:start', desiredStatus: 'RUNNING', containers: [container] },
        { arn: 'arn:stop', desiredStatus: 'STOPPED' },
      ],
    });
    expect((await reply('AckRequest')).message).toEqual({
      cluster: 'default',
      containerInstance: 'arn:instance',
      messageId: 'm',
    });
    expect(applied.map(({ arn }) => arn)).toEqual(['arn:stop', 'arn:start']);
    expect(generations).toEqual([4 * 2 ** 20]);
  });

  const peer = { address: '192.0.2.2', blocks: ['10.0.0.16/28'], tunnel: `${'b'.repeat(43)}:51820` };
  const network: NetworkState = {
    address: '192.0.2.1',
    tunnel: `${'a'.repeat(43)}:51820`,
    blocks: [{ cidr: '10.0.0.0/28', vpc: 'vpc-1' }],
    groups: [],
    members: { 'sg-a': ['10.0.0.1'] },
    peers: [peer],
  };
  const acknowledged = () =>
    received.flatMap(({ type, message }) => (type === 'AckRequest' ? [message['messageId']] : []));
  const command = (messageId: string) => ({ messageId, seqNum: 4 * 2 ** 20 });
  const come = { members: { put: { 'sg-a': { come: ['10.0.0.2'], left: [] } }, gone: [] } };

  test('hands on all that it is told of the network, and then what has changed of it', async () => {
    send('NetworkStateMessage', { ...command('whole'), ...network });
    send('NetworkChangeMessage', { ...command('one'), after: 'whole', change: come });
    send('NetworkChangeMessage', { ...command('two'), after: 'one', change: { tunnel: null } });
    await until(() => acknowledged().includes('two') || undefined, 'the last acknowledgement');
    const { tunnel: _, ...plain } = network;
    const members = { 'sg-a': ['10.0.0.1', '10.0.0.2'] };
    expect(networks).toEqual([network, { ...network, members }, { ...plain, members }]);
    expect(acknowledged()).toEqual(['whole', 'one', 'two']);
  });

  test('does nothing with a change of what it was not told, so that all comes again', async () => {
    send('NetworkChangeMessage', { ...command('lost'), after: 'never', change: come });
    send('NetworkStateMessage', { ...command('whole'), ...network });
    send('NetworkChangeMessage', { ...command('older'), after: 'before', change: come });
    send('TaskManifestMessage', { messageId: 'last', timeline: 4 * 2 ** 20, tasks: [] });
    await until(() => acknowledged().includes('last') || undefined, 'the last acknowledgement');
    expect(networks).toEqual([network]);
    expect(acknowledged()).toEqual(['whole', 'last']);
  });

  test('makes a change to what it could not put into effect, and says that it has both when it can', async () => {
    applies = () => Promise.reject(new Error('nft: no memory'));
    send('NetworkStateMessage', { ...command('whole'), ...network });
    await until(() => networks.length === 1 || undefined, 'the attempt');
    applies = async () => undefined;
    send('NetworkChangeMessage', { ...command('one'), after: 'whole', change: come });
    await until(() => acknowledged().includes('one') || undefined, 'the acknowledgement');
    expect(networks.at(-1)).toEqual({ ...network, members: { 'sg-a': ['10.0.0.1', '10.0.0.2'] } });
    expect(acknowledged()).toEqual(['one']);
  });

  test('obeys no server that was replaced', async () => {
    const closed = new Promise((resolve) => far.once('close', resolve));
    send('PayloadMessage', {
      messageId: 'm',
      seqNum: 2 * 2 ** 20 + 99,
      tasks: [{ arn: 'a', desiredStatus: 'STOPPED' }],
    });
    await closed;
    expect(applied).toEqual([]);
    expect(received).toEqual([]);
  });

  test('reports a task it cannot read and carries out the others', async () => {
    send('PayloadMessage', {
      messageId: 'm',
      seqNum: 4 * 2 ** 20,
      tasks: [{ arn: 'arn:bad', desiredStatus: 'DANCING' }, 7, { arn: 'arn:good', desiredStatus: 'STOPPED' }],
    });
    await reply('AckRequest');
    expect(reports).toEqual([
      {
        arn: 'arn:bad',
        status: 'STOPPED',
        reason: 'UnrecognizedTaskError: the agent cannot read this task',
        containers: [],
      },
    ]);
    expect(applied.map(({ arn }) => arn)).toEqual(['arn:good']);
  });

  test('asks before it stops what a manifest does not name', async () => {
    send('TaskManifestMessage', { messageId: 'm', timeline: 4 * 2 ** 20, tasks: [{ taskArn: 'arn:kept' }] });
    expect((await reply('TaskStopVerificationMessage')).message).toEqual({
      messageId: 'm',
      stopCandidates: [{ taskArn: 'arn:unwanted' }],
    });
    expect(stopped).toEqual([]);
    expect(over).toEqual([['arn:kept']]);
    send('TaskStopVerificationAck', { messageId: 'm', stopTasks: [{ taskArn: 'arn:unwanted' }] });
    await until(() => (stopped.length > 0 ? true : undefined), 'a stop');
    expect(stopped).toEqual(['arn:unwanted']);
    // What it asked about is gone: it says so once.
    const tasks = [{ taskArn: 'arn:kept' }, { taskArn: 'arn:unwanted' }];
    for (const messageId of ['n', 'o']) send('TaskManifestMessage', { messageId, timeline: 4 * 2 ** 20, tasks });
    send('HeartbeatMessage', { messageId: 'h', healthy: true });
    await reply('HeartbeatAckRequest');
    const questions = received.filter(({ type }) => type === 'TaskStopVerificationMessage');
    expect(questions.map(({ message }) => message)).toEqual([
      { messageId: 'm', stopCandidates: [{ taskArn: 'arn:unwanted' }] },
      { messageId: 'n', stopCandidates: [] },
    ]);
  });

  test('takes new credentials of tasks that are here, and only of those', async () => {
    const roleCredentials = { credentialsId: 'id', accessKeyId: 'A', secretAccessKey: 'S', expiration: 'soon' };
    send('IAMRoleCredentialsMessage', {
      messageId: 'foreign',
      taskArn: 'arn:unknown',
      roleType: 'TaskApplication',
      roleCredentials,
    });
    send('IAMRoleCredentialsMessage', {
      messageId: 'm',
      taskArn: 'arn:kept',
      roleType: 'TaskApplication',
      roleCredentials,
    });
    expect((await reply('IAMRoleCredentialsAckRequest')).message).toEqual({
      messageId: 'm',
      credentialsId: 'id',
      expiration: 'soon',
    });
    expect(learned).toEqual([['arn:kept', 'TaskApplication', { roleArn: '', sessionToken: '', ...roleCredentials }]]);
  });

  test('is told of a session of ECS Exec', async () => {
    send('ExecSessionMessage', { messageId: 'm', sessionId: 'ecs-execute-command-1', taskArn: 'arn:kept' });
    send('HeartbeatMessage', { messageId: 'h', healthy: true });
    await reply('HeartbeatAckRequest');
    expect(wanted).toEqual([['ecs-execute-command-1', 'arn:kept']]);
  });

  test('answers heartbeats and survives what it does not know', async () => {
    far.send('not json');
    send('SomethingNew', { a: 1 });
    send('HeartbeatMessage', { messageId: 'h', healthy: true });
    expect((await reply('HeartbeatAckRequest')).message).toEqual({ messageId: 'h' });
  });
});
