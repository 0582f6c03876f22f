import { execFileSync } from 'node:child_process';
import { randomInt, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { trafficEngines } from '../server/traffic-engines.ts';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const missing = await missingAwsCli();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const folder = mkdtempSync(join(tmpdir(), 'slipway-certificates-'));
const data = join(folder, 'data');
const address = `127.${randomInt(64, 250)}.${randomInt(250)}.${randomInt(1, 250)}`;
let server: ServerProcess;
let aws: AwsCli;

beforeAll(async () => {
  if (missing !== undefined) return;
  server = new ServerProcess(await freePort(), data, {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '1',
    SLIPWAY_LB_ADDRESSES: address,
  });
  await server.start();
  aws = new AwsCli(server.aws());
});

afterAll(async () => {
  await server?.stop();
  // It outlives the server; after a test that failed it would stay.
  for (const { open } of trafficEngines({ data, loadBalancing: { engine: 'auto' } })) await (await open()).stop();
  rmSync(folder, { recursive: true, force: true });
});

/** A certificate of a name with its key, and how it is recognized. */
function selfSigned(name: string): {
  readonly files: readonly string[];
  readonly fingerprint: string;
  readonly key: string;
} {
  const at = (what: string): string => join(folder, `${name}-${what}.pem`);
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at('key')];
  const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  execFileSync('openssl', ['req', '-x509', '-days', '30', ...key, ...names, '-out', at('certificate')], {
    stdio: 'pipe',
  });
  return {
    files: ['--certificate', `fileb://${at('certificate')}`, '--private-key', `fileb://${at('key')}`],
    fingerprint: new X509Certificate(readFileSync(at('certificate'))).fingerprint256,
    key: readFileSync(at('key'), 'utf8'),
  };
}

/** What a client that names a server gets: the certificate, and the answer to a request. */
const ask = (port: number, servername: string): Promise<{ readonly fingerprint: string; readonly answer: string }> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: address, port, servername, rejectUnauthorized: false }, () => {
      const fingerprint = socket.getPeerCertificate().fingerprint256;
      let answer = '';
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
      socket.on('close', () => resolve({ fingerprint, answer }));
      socket.write(`GET / HTTP/1.1\r\nHost: ${servername}\r\nConnection: close\r\n\r\n`);
    });
    socket.on('error', reject);
  });

test.skipIf(missing !== undefined)(
  `the AWS CLI imports certificates, serves them and one of IAM by name, renews one and lists Classic Load Balancers beside${missing ? ` (${missing})` : ''}`,
  async () => {
    const json = <T>(...args: string[]): Promise<T> => aws.json<T>(args);
    const [web, api, renewed] = ['web.example.com', 'api.example.com', 'renewed.example.com'].map(selfSigned);
    if (web === undefined || api === undefined || renewed === undefined) throw new Error('nothing was made');
    const importIt = async (given: typeof web, ...more: string[]): Promise<string> =>
      (await json<{ CertificateArn: string }>('acm', 'import-certificate', ...given.files, ...more)).CertificateArn;
    const [first, second] = [await importIt(web, '--tags', 'Key=team,Value=blue'), await importIt(api)];

    const { Vpcs } = await json<{ Vpcs: { VpcId: string }[] }>(
      'ec2',
      'describe-vpcs',
      '--filters',
      'Name=is-default,Values=true',
    );
    const { Subnets } = await json<{ Subnets: { SubnetId: string }[] }>('ec2', 'describe-subnets');
    const subnet = Subnets[0]?.SubnetId ?? '';
    const group = ['--group-name', 'secure', '--description', 'secure', '--vpc-id', Vpcs[0]?.VpcId ?? ''];
    const { GroupId } = await json<{ GroupId: string }>('ec2', 'create-security-group', ...group);
    const open = ['--group-id', GroupId, '--protocol', '-1', '--cidr', '127.0.0.0/8'];
    await json('ec2', 'authorize-security-group-ingress', ...open);
    const place = ['--subnets', subnet, '--security-groups', GroupId];
    const { LoadBalancers } = await json<{ LoadBalancers: { LoadBalancerArn: string }[] }>(
      'elbv2',
      'create-load-balancer',
      '--name',
      'web',
      ...place,
    );
    const balancer = ['--load-balancer-arn', LoadBalancers[0]?.LoadBalancerArn ?? ''];
    const port = await freePort();
    const fixed = 'Type=fixed-response,FixedResponseConfig={StatusCode=200,ContentType=text/plain,MessageBody=served}';
    const { Listeners } = await json<{ Listeners: { ListenerArn: string }[] }>(
      'elbv2',
      'create-listener',
      ...balancer,
      '--protocol',
      'HTTPS',
      '--port',
      String(port),
      '--certificates',
      `CertificateArn=${first}`,
      '--default-actions',
      fixed,
    );
    const listener = ['--listener-arn', Listeners[0]?.ListenerArn ?? ''];
    await json('elbv2', 'add-listener-certificates', ...listener, '--certificates', `CertificateArn=${second}`);
    const shown = async (name: string): Promise<string> => (await ask(port, name)).fingerprint;
    expect((await ask(port, 'web.example.com')).answer).toMatch(/^HTTP\/1\.1 200[^]*served$/);
    await vi.waitFor(async () => expect(await shown('api.example.com')).toBe(api.fingerprint), {
      timeout: 180_000,
      interval: 50,
    });
    expect([await shown('web.example.com'), await shown('other.example.com')]).toEqual([
      web.fingerprint,
      web.fingerprint,
    ]);

    await importIt(renewed, '--certificate-arn', first);
    await vi.waitFor(async () => expect(await shown('other.example.com')).toBe(renewed.fingerprint), {
      timeout: 180_000,
      interval: 50,
    });
    // One of IAM's beside those of ACM's API.
    const iams = selfSigned('iam.example.com');
    const [body, key] = [iams.files[1] ?? '', iams.files[3] ?? ''].map((file) => file.replace('fileb:', 'file:'));
    const uploaded = ['--certificate-body', body ?? '', '--private-key', key ?? ''];
    const mine = ['--server-certificate-name', 'iam'];
    const { ServerCertificateMetadata: third } = await json<{ ServerCertificateMetadata: { Arn: string } }>(
      'iam',
      'upload-server-certificate',
      ...mine,
      ...uploaded,
    );
    await json('elbv2', 'add-listener-certificates', ...listener, '--certificates', `CertificateArn=${third.Arn}`);
    await vi.waitFor(async () => expect(await shown('iam.example.com')).toBe(iams.fingerprint), {
      timeout: 180_000,
      interval: 50,
    });
    expect((await aws.run(['iam', 'delete-server-certificate', ...mine])).stderr).toContain('(DeleteConflict)');
    const named = ['acm', 'delete-certificate', '--certificate-arn'];
    expect((await aws.run([...named, first])).stderr).toContain('(ResourceInUseException)');
    const bad = await aws.run(['acm', 'import-certificate', ...web.files.slice(0, 2), ...api.files.slice(2)]);
    expect(bad.stderr).toContain('(ValidationException)');

    const old = ['--load-balancer-name', 'old'];
    const classicPort = await freePort();
    const way = `Protocol=HTTPS,LoadBalancerPort=${classicPort},InstanceProtocol=HTTP,InstancePort=8080,SSLCertificateId=${second}`;
    await json('elb', 'create-load-balancer', ...old, '--listeners', way, ...place);
    const { LoadBalancerDescriptions } = await json<{ LoadBalancerDescriptions: object[] }>(
      'elb',
      'describe-load-balancers',
    );
    expect(LoadBalancerDescriptions).toMatchObject([
      {
        LoadBalancerName: 'old',
        ListenerDescriptions: [{ Listener: { LoadBalancerPort: classicPort, SSLCertificateId: second } }],
      },
    ]);
    // It has no instance: it is a load balancer of its own that says so.
    const unserved = await ask(classicPort, 'api.example.com');
    expect([unserved.fingerprint, unserved.answer.slice(0, 12)]).toEqual([api.fingerprint, 'HTTP/1.1 503']);
    await json('elb', 'wait', 'instance-deregistered', ...old, '--instances', 'i-00000000000000001');
    await json('elb', 'delete-load-balancer', ...old);
    await json('elbv2', 'delete-load-balancer', ...balancer);
    for (const arn of [first, second]) await json(...named, arn);
    await json('iam', 'delete-server-certificate', ...mine);
    const listed = ['acm', 'list-certificates', '--includes', 'keyTypes=EC_prime256v1'];
    expect(await json(...listed)).toEqual({ CertificateSummaryList: [] });

    // Nothing of the keys is left where records and engines are, nor ever was in what is kept.
    const lines = [web, api, renewed, iams].flatMap(({ key }) =>
      key.split('\n').filter((line) => /^[A-Za-z0-9+/]{60}/.test(line)),
    );
    const kept = (): string[] =>
      readdirSync(data, { recursive: true, withFileTypes: true }).flatMap((entry) =>
        entry.isFile() ? [join(entry.parentPath, entry.name)] : [],
      );
    await vi.waitFor(
      () => {
        for (const path of kept())
          for (const line of lines) expect([path, readFileSync(path, 'latin1').includes(line)]).toEqual([path, false]);
      },
      { timeout: 180_000, interval: 500 },
    );
  },
  600_000,
);
