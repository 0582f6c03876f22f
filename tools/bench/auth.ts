/**
 * `npm run bench:auth [-- --short]`: signatures, tokens and policy decisions a second on one core, and what authentication
 * and authorization cost a request beside the same request without them.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ecs from '@aws-sdk/client-ecs';
import { AttachUserPolicyCommand, CreatePolicyCommand, CreateUserCommand, IAMClient } from '@aws-sdk/client-iam';
import { Registry } from '@prometheus-io/client';
import { AuditFile } from '@slipway/auth/audit';
import { awsJson, type Call, defineService, type Operation, type Principal } from '@slipway/auth/contract';
import { createGateway, type Gateway } from '@slipway/auth/gateway';
import { unwatched } from '@slipway/auth/gateway/testing';
import { type FirstAdministrator, type Identity, openIdentity } from '@slipway/auth/identity';
import { compilePolicy, contextOf, evaluate, parsePolicy } from '@slipway/auth/policy';
import { readSignature, SignatureVerifier } from '@slipway/auth/sigv4';
import { TokenService } from '@slipway/auth/tokens';
import { systemClock as clock } from '@slipway/storage/clock';
import { openSqliteRecords } from '@slipway/storage/records';
import aws4 from 'aws4';
import { replay } from './replaying.ts';
import { median, type Row, short, writeSection } from './results.ts';

const account = '000000000000';
const region = 'us-east-1';
const brief = process.argv.includes('--short');
const seconds = brief ? 0.2 : 2;
const requests = brief ? 2000 : 20_000;
const rounds = brief ? 1 : 5;

await using opened = new AsyncDisposableStack();
const folder = opened.adopt(mkdtempSync(join(tmpdir(), 'slipway-bench-auth-')), (it) =>
  rmSync(it, { recursive: true }),
);
const records = opened.adopt(await openSqliteRecords({ file: join(folder, 'records.sqlite') }, clock), (it) =>
  it.close(),
);
const identity = opened.adopt(
  openIdentity({ records, clock, random: (size) => randomBytes(size), encryptionKey: randomBytes(32), region }),
  (it) => it.close(),
);
const admin = (await identity.bootstrap(account)) as FirstAdministrator;
const tokens = new TokenService({ records, clock, sealer: identity.sealer, issuer: 'slipway:bench', region });

/** Calls a second, on one core; the median of the rounds. */
async function rate(work: (index: number) => unknown): Promise<number> {
  const rates: number[] = [];
  for (let index = 0; index < 2000; index++) await work(index);
  for (let round = 0; round < rounds; round++) {
    const begun = performance.now();
    let count = 0;
    while (performance.now() - begun < (seconds * 1000) / rounds) for (let i = 0; i < 100; i++) await work(count++);
    rates.push((count / (performance.now() - begun)) * 1000);
  }
  return median(rates);
}

/** One operation that does nothing, behind the whole front door or behind an open one. */
async function open(
  access: 'policy' | 'anonymous',
  services: Identity['services'],
): Promise<{ gateway: Gateway; port: number }> {
  const describe: Operation<ecs.DescribeClustersRequest, ecs.DescribeClustersResponse> = {
    access:
      access === 'anonymous'
        ? 'anonymous'
        : (input, call) => [
            {
              action: 'ecs:DescribeClusters',
              resources: (input.clusters ?? []).map((name) => ({
                arn: `arn:aws:ecs:${region}:${call.account}:cluster/${name}`,
              })),
            },
          ],
    handle: async () => ({ clusters: [], failures: [] }),
  };
  const service = defineService({
    name: 'ecs',
    protocol: awsJson('1.1', 'AmazonEC2ContainerServiceV20141113'),
    client: ecs,
    operations: { DescribeClusters: describe },
  });
  const path = join(folder, `${access}-${services.length}.jsonl`);
  const gateway = createGateway({
    ...unwatched(region),
    services: [service, ...services],
    credentials: identity.credentials,
    standing: identity.standing,
    authorizer: identity.authorizer,
    tokens,
    clock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    audit: opened.adopt(new AuditFile({ path }), (it) => it.close()),
    metrics: new Registry(),
    region,
    account,
  });
  opened.defer(() => gateway.close(0));
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  return { gateway, port };
}

const body = '{"clusters":["default"]}';
const target = 'AmazonEC2ContainerServiceV20141113.DescribeClusters';

/** The head and body as the AWS CLI sends them. */
function requestText(port: number, key: FirstAdministrator | undefined): Buffer {
  const headers: Record<string, string> = {
    Host: `127.0.0.1:${port}`,
    'Accept-Encoding': 'identity',
    'X-Amz-Target': target,
    'Content-Type': 'application/x-amz-json-1.1',
    'User-Agent': 'aws-cli/2.27.0 md/awscrt#0.26.1 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.13.2',
    'Content-Length': String(body.length),
  };
  const signed =
    key === undefined
      ? headers
      : (aws4.sign({ method: 'POST', path: '/', service: 'ecs', region, headers, body }, key).headers as Record<
          string,
          string
        >);
  const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(`POST / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
}

/** Microseconds of processor time that one request costs this process. */
async function cost(port: number, request: Buffer): Promise<number> {
  await replay(port, request, requests / 4);
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = process.cpuUsage();
    await replay(port, request, requests);
    const { user, system } = process.cpuUsage(before);
    samples.push((user + system) / requests);
  }
  return median(samples);
}

const plain = await open('anonymous', []);
const guarded = await open('policy', identity.services);

// Whole requests.
const without = await cost(plain.port, requestText(plain.port, undefined));
const withAuth = await cost(guarded.port, requestText(guarded.port, admin));

// Signatures.
const raw = requestText(guarded.port, admin).toString('latin1').split('\r\n\r\n')[0] ?? '';
const rawHeaders = raw
  .split('\r\n')
  .slice(1)
  .flatMap((line) => line.split(/: (.*)/s).slice(0, 2));
const verifier = new SignatureVerifier({ credentials: identity.credentials, clock });
const bodyBytes = Buffer.from(body);
const expected = { service: 'ecs', regions: [region], presigned: false };
const signatures = await rate(async () =>
  (await verifier.open(readSignature({ method: 'POST', target: '/', rawHeaders }), expected)).finish(bodyBytes),
);
const oracle = await rate(() =>
  aws4.sign({ method: 'POST', path: '/', service: 'ecs', region, headers: { 'X-Amz-Target': target }, body }, admin),
);

// Tokens: known, and seen for the first time.
const caller: Principal = { type: 'user', account, arn: admin.userArn, id: 'AIDA', accessKeyId: admin.accessKeyId };
const { password } = await tokens.issueAuthorization(caller);
const knownTokens = await rate(() => tokens.verify('authorization', password));
const fresh = await Promise.all(Array.from({ length: brief ? 200 : 5000 }, () => tokens.issueAuthorization(caller)));
const begun = performance.now();
for (const token of fresh) await tokens.verify('authorization', token.password);
const newTokens = (fresh.length / (performance.now() - begun)) * 1000;

// Decisions: a user with 10 policies of 10 statements.
const statements = (policy: number): object[] =>
  Array.from({ length: 10 }, (_, index) => ({
    Effect: 'Allow',
    Action: ['ecr:BatchGetImage', `ecs:Describe${index}*`],
    Resource: `arn:aws:ecr:*:${account}:repository/team-${policy}/service-${index}/*`,
    Condition: { StringLike: { 'aws:PrincipalArn': `arn:aws:iam::${account}:user/*` } },
  }));
const documents = Array.from({ length: 10 }, (_, policy) =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements(policy) }),
);
const iam = new IAMClient({ endpoint: `http://127.0.0.1:${guarded.port}`, region, credentials: admin });
const { User } = await iam.send(new CreateUserCommand({ UserName: 'measured' }));
for (const [index, PolicyDocument] of documents.entries()) {
  const { Policy } = await iam.send(new CreatePolicyCommand({ PolicyName: `p${index}`, PolicyDocument }));
  await iam.send(new AttachUserPolicyCommand({ UserName: 'measured', PolicyArn: Policy?.Arn }));
}
iam.destroy();
const measured: Principal = { type: 'user', account, arn: User?.Arn ?? '', id: User?.UserId ?? '' };
const call: Call = {
  requestId: 'bench',
  principal: measured,
  account,
  region,
  endpoint: '',
  sourceIp: '127.0.0.1',
  userAgent: 'bench',
  time: new Date(),
  signal: new AbortController().signal,
};
const arns = Array.from(
  { length: 100 },
  (_, i) => `arn:aws:ecr:${region}:${account}:repository/team-9/service-${i % 10}/image-${i}`,
);
const ask = (index: number) =>
  identity.authorizer.authorize(
    measured,
    { action: 'ecr:BatchGetImage', resources: [{ arn: arns[index % arns.length] ?? '' }] },
    call,
  );
if (!(await ask(0)).allowed) throw new Error('the measured decision is not the intended one');
const cached = await rate(ask);
const compiled = () => ({
  identity: documents.map((text, i) => ({ name: `p${i}`, policy: compilePolicy(parsePolicy(text, 'identity')) })),
});
const ready = compiled();
const context = contextOf({ 'aws:PrincipalArn': measured.arn });
const question = (index: number) => ({
  principal: { type: 'user' as const, account, arn: measured.arn, id: measured.id },
  action: 'ecr:BatchGetImage',
  resource: arns[index % arns.length] ?? '',
  resourceAccount: account,
  resourcePolicies: [],
  context,
});
const evaluated = await rate((index) => evaluate(ready, question(index)));
const cold = await rate((index) => evaluate(compiled(), question(index)));

const perSecond = (value: number): string => `${short(value)}/s`;
const row = (what: string, ours: string, peer = '', ratio = '', goal = ''): Row => ({ what, ours, peer, ratio, goal });
const rows = [
  row(
    'processor time of a signed and authorized request, caller known',
    `${short(withAuth)} µs`,
    `${short(without)} µs`,
    `+${short(withAuth - without)} µs`,
    'at most +60 µs',
  ),
  row('SigV4 verifications', perSecond(signatures), perSecond(oracle), short(signatures / oracle)),
  row('docker tokens, known', perSecond(knownTokens)),
  row('docker tokens, new (Ed25519)', perSecond(newTokens)),
  row('decisions, remembered', perSecond(cached), '', '', '200,000/s'),
  row('decisions, evaluated', perSecond(evaluated)),
  row('decisions, policies parsed and compiled first', perSecond(cold)),
];
for (const { what, ours, peer, ratio, goal } of rows)
  process.stdout.write(`${what.padEnd(64)} ${ours.padStart(12)} ${peer.padStart(12)} ${ratio.padStart(9)}  ${goal}\n`);
if (!brief)
  writeSection({
    name: 'auth',
    title: 'The front door',
    command: 'npm run bench:auth',
    notes: [
      'First row: ECS DescribeClusters with a handler that does nothing, 8 connections, processor time of the serving process (all its threads) a request. Beside it the same operation declared open to everybody, called without a signature: what is left out is reading and verifying the signature, finding the caller, deciding, and their lines in the audit file.',
      'SigV4 beside `aws4` signing the same request: the same hashes, plus the checks.',
      'Decisions: a user with 10 managed policies of 10 statements each with a condition, 100 resources in turn. Remembered: the whole authorizer, as the gateway asks it.',
    ],
    rows,
  });
