import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { freePort } from '@slipway/storage/testing';
import aws4 from 'aws4';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentSettings } from '../cli/agent-settings.ts';
import { AwsCli } from '../testbed/aws-cli.ts';
import { check, run } from '../testbed/command.ts';
import { codeBlocks, shellBlocks } from '../testbed/readme.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** The page that says how AWS's own agent joins, step by step. */
const page = 'scheduler/hosts/amazon-ecs-agent.md';
const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const folder = mkdtempSync(join(tmpdir(), 'slipway-ecs-agent-page-'));
const host = 'slipway.example.com';

/** The variables that a block exports. */
const exported = (block: string): Record<string, string> =>
  Object.fromEntries([...block.matchAll(/(SLIPWAY_\w+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value]));

describe('a server as the page sets it up', () => {
  let server: ServerProcess;
  let ca: Buffer;
  let keys: { accessKeyId: string; secretAccessKey: string };

  beforeAll(async () => {
    const [block = ''] = shellBlocks(page, '1. The server: TLS on port 443');
    const [, init = ''] = /^slipway (tls init .*)$/m.exec(block) ?? [];
    const data = join(folder, 'data');
    await check(slipway, init.replace('--data data', `--data ${data}`).split(' '));
    const { SLIPWAY_DATA, SLIPWAY_PORT, ...rest } = exported(block);
    if (SLIPWAY_DATA !== 'data' || SLIPWAY_PORT !== '443') throw new Error(`${page} names another folder or port`);
    const env = Object.fromEntries(
      Object.entries(rest).map(([name, value]) => [name, value.replace(/^data\//, `${data}/`)]),
    );
    // A misspelt variable is refused at start.
    server = new ServerProcess(await freePort(), data, { ...env, SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
    await server.start();
    ca = readFileSync(join(data, 'tls', 'ca.crt'));
    // The operator's own calls go to the port of this test.
    const operator = { ...server.aws(), AWS_ENDPOINT_URL: server.endpoint, AWS_CA_BUNDLE: join(data, 'tls', 'ca.crt') };
    const [user = ''] = shellBlocks(page, '2. A user for each host');
    const { stdout, stderr } = await run('sh', ['-ec', user], { env: { ...operator, AWS_PAGER: '' } });
    const [, accessKeyId = stderr] = /"AccessKeyId": "(\w+)"/.exec(stdout) ?? [];
    const [, secretAccessKey = ''] = /"SecretAccessKey": "([^"]+)"/.exec(stdout) ?? [];
    keys = { accessKeyId, secretAccessKey };
    await new AwsCli(operator).json(['ecs', 'describe-clusters']);
  }, 600_000);
  afterAll(() => server?.stop());

  /** A call as the agent makes it: to the name alone, which leads to this server's port. */
  async function call<T>(service: string, target: string, input: object): Promise<T> {
    const body = JSON.stringify(input);
    const headers = { Host: host, 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': target };
    const signed = aws4.sign({ service, region: 'us-east-1', method: 'POST', path: '/', headers, body }, keys);
    const at = { host: '127.0.0.1', port: server.port, servername: host, ca, method: 'POST', path: '/' };
    const sent = request({ ...at, headers: signed.headers as Record<string, string> });
    sent.end(body);
    const [response] = (await once(sent, 'response')) as [import('node:http').IncomingMessage];
    let text = '';
    for await (const chunk of response) text += String(chunk);
    expect(response.statusCode, text).toBe(200);
    return JSON.parse(text) as T;
  }

  test('names addresses without a port, where the certificate is good and the WebSockets open', async () => {
    const ecs = 'AmazonEC2ContainerServiceV20141113';
    const integer = (name: string, integerValue: number) => ({ name, type: 'INTEGER', integerValue });
    const { containerInstance } = await call<{ containerInstance: { containerInstanceArn: string } }>(
      'ecs',
      `${ecs}.RegisterContainerInstance`,
      {
        cluster: 'default',
        clientToken: 'not in the public model',
        instanceIdentityDocument: '',
        instanceIdentityDocumentSignature: '',
        totalResources: [integer('CPU', 1024), integer('MEMORY', 1024)],
        attributes: [{ name: 'ecs.capability.external' }],
      },
    );
    const { containerInstanceArn } = containerInstance;
    const found = await call<{ endpoint: string; telemetryEndpoint: string }>('ecs', `${ecs}.DiscoverPollEndpoint`, {
      cluster: 'default',
      containerInstance: containerInstanceArn,
      zoneId: '',
    });
    expect(found).toMatchObject({
      endpoint: `https://${host}/agent/acs`,
      telemetryEndpoint: `https://${host}/agent/tcs`,
    });
    for (const [url, query] of [
      [found.endpoint, { clusterArn: 'default', containerInstanceArn, protocolVersion: '2', seqNum: '1' }],
      [found.telemetryEndpoint, { cluster: 'default', containerInstance: containerInstanceArn }],
    ] as const) {
      expect(await upgrade(new URL(`${url}/ws?${new URLSearchParams(query).toString()}`))).toMatch(/^HTTP\/1\.1 101 /);
    }
    const ecr = 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken';
    const { authorizationData } = await call<{ authorizationData: { proxyEndpoint: string }[] }>('ecr', ecr, {
      registryIds: ['000000000000'],
    });
    expect(authorizationData.map(({ proxyEndpoint }) => proxyEndpoint)).toEqual([`https://${host}`]);
  });

  /** @returns the head of the answer */
  async function upgrade({ pathname, search }: URL): Promise<string> {
    const path = `${pathname}${search}`;
    const signed = aws4.sign({ service: 'ecs', region: 'us-east-1', path, headers: { Host: host } }, keys);
    const upgrading = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };
    const key = { 'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64') };
    const lines = Object.entries({ ...signed.headers, ...upgrading, ...key }).map(
      ([name, value]) => `${name}: ${String(value)}`,
    );
    const socket = connect({ host: '127.0.0.1', port: server.port, servername: host, ca });
    socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    const [head] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return head.toString('latin1');
  }
});

test('slipway agent reads the file of the page, and names what it does not act on', async () => {
  const [file = ''] = codeBlocks(page, '4. `/etc/ecs/ecs.config`', 'ini');
  const config = join(folder, 'ecs.config');
  writeFileSync(config, file);
  const { options, ignored } = await agentSettings({ config }, {});
  expect(options).toMatchObject({
    endpoint: `https://${host}`,
    cluster: 'default',
    region: 'us-east-1',
    dataDir: '/var/lib/ecs/data',
    attributes: { stack: 'blue' },
  });
  expect(ignored).toEqual([
    'ECS_AVAILABLE_LOGGING_DRIVERS',
    'ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE',
    'ECS_ENABLE_TASK_CPU_MEM_LIMIT',
    'ECS_ENABLE_TASK_IAM_ROLE',
    'ECS_EXTERNAL',
    'SSL_CERT_FILE',
  ]);
});

/** What needs a network namespace of its own. */
const missing =
  (await run('unshare', ['--net', 'iptables', '-t', 'nat', '-S'])).code === 0 ? undefined : 'no namespaces';
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

test.skipIf(missing)(
  'the packet filter rules lead containers and the host from 169.254.170.2 to the agent',
  async () => {
    const [rules = ''] = shellBlocks(page, '5. Packet filter rules');
    // What plays the agent tells each caller who it is; the callers are the host itself, and a container behind a cable.
    const agent = `require('net').createServer((socket) => socket.end('the agent')).listen(51679, '127.0.0.1')`;
    const caller = `require('net').connect(80, '169.254.170.2').on('data', (data) => console.log(process.argv[1], String(data)))`;
    const script = `
ip link set lo up
ip link add bridge type veth peer name eth0
ip addr add 192.0.2.1/24 dev bridge
ip link set bridge up
unshare --net sleep 60 & container=$!
"$0" -e "$1" & agent=$!
trap 'kill $container $agent' EXIT
until [ "$(readlink /proc/$container/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.05; done
ip link set eth0 netns $container
inside() { nsenter --target $container --net "$@"; }
inside ip addr add 192.0.2.2/24 dev eth0
inside ip link set eth0 up
inside ip route add default via 192.0.2.1
ip route add default via 192.0.2.2
${rules}
iptables -S INPUT
until "$0" -e "require('net').connect(51679, '127.0.0.1').on('data', () => process.exit(0))"; do sleep 0.05; done
timeout 10 "$0" -e "$2" host
inside timeout 10 "$0" -e "$2" container`;
    const { code, stdout, stderr } = await run('unshare', [
      '--net',
      'sh',
      '-euc',
      script,
      process.execPath,
      agent,
      caller,
    ]);
    expect(code, stderr).toBe(0);
    expect(stdout).toMatch(/^host the agent$/m);
    expect(stdout).toMatch(/^container the agent$/m);
    expect(stdout).toMatch(/^-A INPUT ! -i lo -p tcp -m tcp --dport 51678 -j DROP$/m);
    expect(stdout).toMatch(/^-A INPUT ! -s 127\.0\.0\.0\/8 -d 127\.0\.0\.0\/8 -m conntrack .*-j DROP$/m);
  },
);

afterAll(() => rmSync(folder, { recursive: true, force: true }));
