import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, get, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BalancerDetails } from '../cli/lb.ts';
import { trafficEngines } from '../server/traffic-engines.ts';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { sdkOptions } from '../testbed/aws-clients.ts';
import { run } from '../testbed/command.ts';
import { ElbClient } from '../testbed/query-clients.ts';
import { ownAddresses, ServerProcess } from '../testbed/server-process.ts';

/** An address of this machine; the load balancer's VPC is around it, so that it may be a target's. */
const own = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
const range = `${(own ?? '').split('.').slice(0, 3).join('.')}.0/24`;

const noAddress = own === undefined ? 'no address but loopback' : undefined;
const noHaproxy = existsSync('/usr/sbin/haproxy') ? undefined : 'no HAProxy';
const missing = (await missingAwsCli()) ?? noAddress ?? noHaproxy;
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const folder = mkdtempSync(join(tmpdir(), 'slipway-elb-'));
const env = {
  SLIPWAY_AGENT: 'off',
  SLIPWAY_WORKERS: '1',
  SLIPWAY_LB_ADDRESSES: ownAddresses(),
};
let server: ServerProcess;
let aws: AwsCli;
let target: Server;

beforeAll(async () => {
  if (missing !== undefined) return;
  server = new ServerProcess(await freePort(), join(folder, 'data'), env);
  await server.start();
  aws = new AwsCli(server.aws());
  target = createServer((request, response) => {
    if (request.url === '/up') response.end('ok');
    else
      response.end(
        `${String(request.headers['x-forwarded-for'])} asks ${request.headers['host'] ?? ''} for ${request.url ?? ''}`,
      );
  });
  target.listen(0, own);
  await once(target, 'listening');
});

afterAll(async () => {
  target?.closeAllConnections();
  target?.close();
  await server?.stop();
  // It outlives the server; after a test that failed it would stay.
  for (const { open } of trafficEngines({ data: join(folder, 'data'), loadBalancing: { engine: 'auto' } }))
    await (await open()).stop();
  rmSync(folder, { recursive: true, force: true });
});

const elb = <T>(...args: string[]): Promise<T> => aws.json<T>(['elbv2', ...args]);

/** Waits for what the targets of a group are: the command line looks every 15 seconds. @param state as DescribeTargetHealth tells it */
const targetsAre = (group: string, state: string | undefined): Promise<void> =>
  vi.waitFor(
    async () => {
      const shown = await new ElbClient(sdkOptions(server)).send({
        name: 'DescribeTargetHealth',
        input: { TargetGroupArn: group },
      });
      expect(/<State>([a-z]+)</.exec((shown as { readonly text: string }).text)?.[1]).toBe(state);
    },
    { timeout: 180_000, interval: 100 },
  );

/** Whether a process listens on a socket. */
const answers = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

/** What a client that was told a load balancer's name gets, without a DNS server. */
function ask(port: number, name: string, path: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = { Host: `${name}:${port}` };
    get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    }).on('error', reject);
  });
}

const slipway = async (...args: string[]): Promise<string> => {
  const command = join(import.meta.dirname, '..', 'bin', 'slipway');
  const { code, stdout, stderr } = await run(command, args, { env: { ...server.aws(), SLIPWAY_DATA: server.data } });
  return code === 0 ? stdout : `${code}: ${stderr}`;
};

/** What the commands and the metrics say of the load balancer `web`. */
async function seen(name: string, port: number): Promise<void> {
  const url = `http://${name}:${port}`;
  expect(await slipway('lb', 'list')).toContain(url);
  await vi.waitFor(
    async () => {
      const shown = JSON.parse(await slipway('lb', 'show', 'web', '--output', 'json')) as BalancerDetails;
      expect(shown.engines).toMatchObject([{ kind: 'haproxy', state: 'current' }]);
      expect(shown.listeners).toMatchObject([
        { url, notBound: [], rules: [{ priority: '1' }, { priority: 'default' }] },
      ]);
      const [group] = shown.targetGroups;
      expect(group?.targets).toMatchObject([{ target: own, state: 'healthy' }]);
      expect(group?.answers['2xx']).toBeGreaterThan(0);
      expect(group?.secondsToAnswer.p99).not.toBeNull();
      expect(shown.answersOfEngines['4xx']).toBeGreaterThan(0);
    },
    { timeout: 180_000, interval: 500 },
  );
  expect(await slipway('lb', 'show', 'web')).toMatch(/web \(HTTP\) {2}\d+ requests \(2xx \d+/);
  expect(await slipway('doctor')).toMatch(/ok +load balancer +web serves/);
  expect(await slipway('lb', 'show', 'nobody')).toMatch(/^1: slipway: There is no load balancer nobody/);
  expect(await slipway('lb', 'show', '../x')).toMatch(/^2: /);
  const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
  const labels = '{load_balancer="web",target_group="web"';
  expect(metrics).toMatch(new RegExp(`slipway_balancing_target_answers_total${labels},code="2xx"} [1-9]`));
  expect(metrics).toMatch(new RegExp(`slipway_balancing_target_seconds_bucket${labels},le="\\+Inf"} [1-9]`));
  expect(metrics).toMatch(/slipway_balancing_engine_answers_total{load_balancer="web",code="4xx"} [1-9]/);
}

test.skipIf(missing !== undefined)(
  `the AWS CLI makes a load balancer that carries requests to a target, and takes it down${missing ? ` (${missing})` : ''}`,
  async () => {
    const { Vpc } = await aws.json<{ Vpc: { VpcId: string } }>(['ec2', 'create-vpc', '--cidr-block', range]);
    const { Subnet: subnet } = await aws.json<{ Subnet: { SubnetId: string; VpcId: string } }>([
      'ec2',
      'create-subnet',
      '--vpc-id',
      Vpc.VpcId,
      '--cidr-block',
      range,
    ]);
    const { GroupId } = await aws.json<{ GroupId: string }>([
      'ec2',
      'create-security-group',
      '--group-name',
      'web',
      '--description',
      'web',
      '--vpc-id',
      subnet.VpcId,
    ]);
    const port = await freePort();
    const open = ['--group-id', GroupId, '--protocol', 'tcp', '--port', String(port), '--cidr', '127.0.0.0/8'];
    await aws.json(['ec2', 'authorize-security-group-ingress', ...open]);
    const { LoadBalancers } = await elb<{ LoadBalancers: { LoadBalancerArn: string; DNSName: string }[] }>(
      'create-load-balancer',
      '--name',
      'web',
      '--subnets',
      subnet.SubnetId,
      '--security-groups',
      GroupId,
    );
    const [balancer] = LoadBalancers;
    const { TargetGroups } = await elb<{ TargetGroups: { TargetGroupArn: string }[] }>(
      'create-target-group',
      '--name',
      'web',
      '--protocol',
      'HTTP',
      '--vpc-id',
      subnet.VpcId,
      '--target-type',
      'ip',
      '--port',
      String((target.address() as AddressInfo).port),
      '--health-check-path',
      '/up',
    );
    const [group] = TargetGroups;
    if (balancer === undefined || group === undefined) throw new Error('nothing was made');
    const named = ['--target-group-arn', group.TargetGroupArn];
    await elb('register-targets', ...named, '--targets', `Id=${own ?? ''}`);
    const { Listeners } = await elb<{ Listeners: { ListenerArn: string }[] }>(
      'create-listener',
      '--load-balancer-arn',
      balancer.LoadBalancerArn,
      '--protocol',
      'HTTP',
      '--port',
      String(port),
      '--default-actions',
      `Type=forward,TargetGroupArn=${group.TargetGroupArn}`,
    );
    for (const waiter of ['load-balancer-exists', 'load-balancer-available'])
      await elb('wait', waiter, '--load-balancer-arns', balancer.LoadBalancerArn);
    await targetsAre(group.TargetGroupArn, 'healthy');
    await elb('wait', 'target-in-service', ...named);
    await vi.waitFor(
      async () =>
        expect(await ask(port, balancer.DNSName, '/a?b')).toEqual({
          status: 200,
          body: `127.0.0.1 asks ${balancer.DNSName} for /a?b`,
        }),
      { timeout: 180_000, interval: 50 },
    );
    const fixed = 'Type=fixed-response,FixedResponseConfig={StatusCode=418,ContentType=text/plain,MessageBody=teapot}';
    await elb(
      'create-rule',
      '--listener-arn',
      Listeners[0]?.ListenerArn ?? '',
      '--priority',
      '1',
      '--actions',
      fixed,
      '--conditions',
      'Field=path-pattern,Values=/tea*',
    );
    // The rule is in force when the answer is there.
    expect(await ask(port, balancer.DNSName, '/teapot')).toEqual({ status: 418, body: 'teapot' });
    expect((await ask(port, 'other.elb.localhost', '/')).status).toBe(404);

    await seen(balancer.DNSName, port);

    // Traffic goes on while the server does not run, and the server finds its engine again.
    await server.stop();
    expect(await ask(port, balancer.DNSName, '/still')).toMatchObject({ status: 200 });
    await server.start();
    await elb('deregister-targets', ...named, '--targets', `Id=${own ?? ''}`);
    await targetsAre(group.TargetGroupArn, undefined);
    await elb('wait', 'target-deregistered', ...named, '--targets', `Id=${own ?? ''}`);
    expect((await ask(port, balancer.DNSName, '/none')).status).toBe(503);

    const inUse = await aws.run(['elbv2', 'delete-target-group', ...named]);
    expect(inUse.stderr).toContain('(ResourceInUse)');
    await elb('delete-load-balancer', '--load-balancer-arn', balancer.LoadBalancerArn);
    await elb('wait', 'load-balancers-deleted', '--load-balancer-arns', balancer.LoadBalancerArn);
    await elb('delete-target-group', ...named);
    // Its engine ends with the last load balancer.
    await vi.waitFor(async () => expect(await answers(join(folder, 'data', 'traffic', 'master.sock'))).toBe(false), {
      timeout: 180_000,
      interval: 100,
    });
  },
  600_000,
);
