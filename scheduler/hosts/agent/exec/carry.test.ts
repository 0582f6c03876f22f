import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import type { Call } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

import { ExecFront, streamUrl } from '../../../exec/sessions/index.ts';
import { execSession } from '../../../exec/testing/exec-session.ts';
import { openClient } from '../../../exec/testing/open-client.ts';
import { serverReach } from '../../../reach/index.ts';
import {
  accountKeys,
  accountPartition,
  arns,
  clusterKeys,
  clusterPartition,
  type ExecSessionRecord,
} from '../../../state/index.ts';
import { until } from '../../testing/bench.ts';
import { execStream, taskSchema } from '../../wire/index.ts';
import { UpgradeRefused } from '../channel.ts';
import type { LiveTask } from '../endpoint/index.ts';
import type { ExecProcess } from './engine.ts';
import { dockerArchives } from './archives.ts';
import { ExecSessions } from './sessions.ts';

const ref = { account: '000000000000', cluster: 'default' };
const asked = execSession({ command: ['count'], interactive: false });
const taskArn = arns.task('us-east-1', ref.account, ref.cluster, asked.taskId);
const silent = (): void => undefined;
const log = { info: silent, warn: silent, error: silent };
const records = memoryRecords(systemClock);
const over = new AbortController();

/** Two servers over one store, and a host that reaches one of them, it does not know which. */
const servers = await Promise.all([open(), open()]);
const lines = Promise.withResolvers<AsyncIterable<string>>();
let typed = '';
let killed = 0;
const running: ExecProcess = {
  output: (async function* () {
    for await (const line of await lines.promise) yield { stream: execStream.stdout, bytes: Buffer.from(line) };
  })(),
  write: async (bytes) => void (typed += bytes.toString()),
  endInput: silent,
  resize: async () => undefined,
  exitCode: async () => 7,
  kill: async () => void (killed += 1),
};

async function open() {
  const front = new ExecFront({
    records,
    clock: systemClock,
    random: randomBytes,
    region: 'us-east-1',
    reach: serverReach({}),
    authorizer: { authorize: async () => ({ allowed: true, reason: 'a policy' }) },
    log,
    record: async () => undefined,
  });
  const hosts = new WebSocketServer({ noServer: true });
  const server = createServer();
  let carried = 0;
  server.on('upgrade', (request, socket, head) => {
    const url = new URL(request.url ?? '', 'http://server');
    if (url.pathname !== '/agent') {
      front.upgrade.accept(request, socket, head, { sourceIp: '127.0.0.1' } as Call, url.searchParams);
      return;
    }
    const session = url.searchParams.get('session') ?? '';
    const { meetings } = front;
    const brings = url.searchParams.has('carried');
    if (brings ? !meetings.has(session, asked.instanceId) : !meetings.awaits(session, asked.instanceId)) {
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      return;
    }
    if (brings) carried += 1;
    hosts.handleUpgrade(request, socket, head, (ws) => {
      if (brings) meetings.attach(session, ws);
      else meetings.join(session, asked.instanceId, ws);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { front, server, endpoint, carried: () => carried };
}

let turn = 0;
const sessions = new ExecSessions({
  engine: { start: async () => running },
  archives: dockerArchives(undefined as never),
  tasks: () => [
    {
      saved: {
        task: taskSchema.parse({
          arn: taskArn,
          desiredStatus: 'RUNNING',
          enableExecuteCommand: true,
          containers: [{ name: 'main', image: 'web' }],
        }),
      },
      inspected: new Map([['main', { Id: asked.runtimeId, State: { Running: true }, Config: { User: '' } }]]),
    } as unknown as LiveTask,
  ],
  dialCopy: () => Promise.reject(new Error('nothing is copied')),
  copyUrl: () => Promise.reject(new Error('nothing is copied')),
  dial: async (address) => {
    const ws = new WebSocket(address);
    ws.once('open', () => ws.pause());
    try {
      await once(ws, 'open');
    } catch {
      throw new UpgradeRefused('SessionNotHereException', 'no client');
    }
    return ws;
  },
  url: async (session, carried) => {
    const url = new URL('/agent', servers[turn++ % 2]?.endpoint.replace('http', 'ws'));
    url.searchParams.set('session', session);
    if (carried) url.searchParams.set('carried', 'true');
    return url;
  },
  clock: systemClock,
  random: () => 0,
  log,
});

/** What the control plane tells the host of what is written of its sessions. */
async function tell(): Promise<void> {
  while (!over.signal.aborted) {
    const { records: rows } = await records.list<ExecSessionRecord>(clusterPartition(ref.account, ref.cluster), {
      prefix: clusterKeys.execs,
    });
    for (const { value } of rows)
      if ((value.openedAt ?? value.endAskedAt) !== undefined)
        sessions.wanted({ sessionId: value.id, taskArn, carry: value.carries, end: value.endAskedAt !== undefined });
    await systemClock.sleep(10);
  }
}

let told: Promise<void>;
beforeAll(async () => {
  await records.commit(accountPartition(ref.account), { put: [{ key: `${accountKeys.clusters}default`, value: {} }] });
  told = tell();
});
afterAll(async () => {
  over.abort();
  await told;
  await sessions.stop();
  for (const { front, server } of servers) {
    await front.close();
    server.close();
    server.closeAllConnections();
  }
});

test('a client whose connection breaks goes on with whichever server it comes to, and nothing is lost or comes twice', async () => {
  const [here, there] = servers;
  const { front } = here;
  const { sessionId, tokenValue } = await front.waiting.add(ref, asked);
  const client = openClient(streamUrl(here.endpoint, ref, sessionId), tokenValue);
  await client.ready;
  const most = 3_000;
  let written = 0;
  lines.resolve(
    (async function* () {
      for (; written < most; written += 1) {
        yield `line ${written}\n`;
        if (written % 500 === 0) await systemClock.sleep(20);
      }
      while (!typed.endsWith('end')) await systemClock.sleep(10);
    })(),
  );
  for (const [times, server] of [there, here, there].entries()) {
    await until(() => (client.bytes() > times * 5_000 ? true : undefined), 'output');
    client.cut();
    client.client.write(Buffer.from(`typed ${times} `));
    const found = await until(() => servers[1]?.front.running.find(ref.account, sessionId), 'the row of the session');
    client.come(streamUrl(server.endpoint, ref, sessionId), await there.front.running.resume(found));
    await until(() => (typed.includes(`typed ${times} `) ? true : undefined), 'input');
  }
  expect([here.carried(), there.carried()]).toEqual([2, 0]);
  client.client.write(Buffer.from('end'));
  expect(await client.closed).toEqual({ code: 7, output: '' });
  expect(client.stdout()).toBe(Array.from({ length: most }, (_, line) => `line ${line}\n`).join(''));
  expect(typed).toBe('typed 0 typed 1 typed 2 end');
  await until(() => (killed === 1 ? true : undefined), 'the end of the command');
  await until(async () => ((await here.front.running.list(ref.account)).length === 0 ? true : undefined), 'its end');
});

test('a client of a session that is over on its host is told so, and waits for nobody', async () => {
  const [here] = servers;
  const { front } = here;
  // As a server that was killed has left it; the host, whose connection broke with that, has it no more.
  const session = { ...asked, id: `ecs-execute-command-${'x'.repeat(17)}` };
  await front.running.keep(ref, session);
  const token = await front.running.resume({ ref, session });
  const client = openClient(streamUrl(here.endpoint, ref, session.id), token);
  expect((await client.closed).output).toBe('The session is over: its host has it no more.');
});
