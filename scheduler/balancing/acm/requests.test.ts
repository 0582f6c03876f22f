import type { CertificateOrder, Ordered } from '@slipway/auth/acme';
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeAll, expect, test, vi } from 'vitest';

import { type HttpListener, route } from '../../routing/index.ts';
import { parseDesiredState } from '../engines/parse.ts';
import { challengeAnswer, createKeyPairs } from '../records/index.ts';
import { issue, type Issued } from '../testing/authority.ts';
import { openAcm } from '../testing/open-acm.ts';
import { account, idOf, openWeb, region } from '../testing/open-balancing.ts';
import { trafficOptions } from '../testing/traffic-options.ts';
import { desiredState } from '../traffic/index.ts';

import { CertificateIssuer } from './issuer.ts';

const name = 'www.example.com';
const until = { timeout: 60_000, interval: 10 };
const no = (refused: string): Ordered => ({ refused, message: `it says ${refused}`, retryAfterMs: undefined });
const ends: (() => Promise<unknown>)[] = [];
let root: Issued;

beforeAll(() => {
  root = issue({ name: 'Root', names: [], isAuthority: true });
});
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const signed = (): Ordered => {
  // As public authorities issue them: without a subject.
  const { certificate, key } = issue({ name: '', names: [name, 'example.com'], by: root });
  return { chain: certificate + root.certificate, key };
};

/** An API whose installation has an authority, and servers that order at it. */
async function open() {
  const world = await openWeb();
  const acm = openAcm(world, { ownNames: ['registry.example.com'] });
  const { balancers, sealer } = acm;
  const options = trafficOptions(world);
  const orders: CertificateOrder[] = [];
  const said: string[] = [];
  /** A server. @param answer what the authority says to each order */
  const serve = (answer: (order: CertificateOrder) => Promise<Ordered>): (() => Promise<void>) => {
    const over = new AbortController();
    const running = new CertificateIssuer({
      ...options,
      region,
      balancers,
      sealer,
      reports: { settled: () => Promise.resolve({ unbound: {} }) },
      authority: {
        order: (order) => {
          orders.push(order);
          return answer(order);
        },
      },
      random: () => 0.5,
      log: { info: () => {}, warn: (_fields, message) => void said.push(message), error: () => {} },
    }).run(over.signal);
    const end = async (): Promise<void> => {
      over.abort();
      await running;
    };
    ends.push(end);
    return end;
  };
  const request = async (more: object = {}): Promise<string> =>
    (await acm.call('RequestCertificate', { DomainName: name, ...more })).CertificateArn;
  const described = async (CertificateArn: string) =>
    (await acm.call('DescribeCertificate', { CertificateArn })).Certificate;
  const becomes = (arn: string, shown: object): Promise<void> =>
    vi.waitFor(async () => expect(await described(arn)).toMatchObject(shown), until);
  /** Makes the next order of a certificate due. */
  const dueNow = (arn: string) =>
    balancers.change(account, (draft) => {
      const record = draft.get('requested', idOf(arn));
      if (record !== undefined) draft.put('requested', { ...record, due: draft.now });
    });
  /** What a listener of the load balancer answers to the authority. */
  const asked = async (host: string, path: string) => {
    const cookieKey = '0'.repeat(64);
    const state = desiredState(await balancers.read(account), await world.networks.read(account), {
      cookieKey,
      certificates: new Map(),
    });
    const { listeners } = parseDesiredState(state);
    const listener = listeners.find(({ id }) => id === idOf(world.listenerArn)) as HttpListener;
    const head = { method: 'GET', host, path, query: '', peer: '192.0.2.1', draw: 0, now: 0 };
    return route({ ...head, header: () => [], cookie: () => undefined }, listener, cookieKey);
  };
  return { ...world, acm, orders, said, serve, request, described, becomes, dueNow, asked };
}

const challenge = { name, token: 'tok_en-1', keyAuthorization: 'tok_en-1.thumb' };
const path = `/.well-known/acme-challenge/${challenge.token}`;

test('a certificate is issued when its name is proved by the listeners, before each of their rules, and is then served as any other', async () => {
  const { acm, call, listenerArn, groupArn, orders, serve, request, described, becomes, asked } = await open();
  await call('CreateRule', {
    ListenerArn: listenerArn,
    Priority: 1,
    Conditions: [{ Field: 'path-pattern', Values: ['*'] }],
    Actions: [{ Type: 'forward', TargetGroupArn: groupArn }],
  });
  const arn = await request({
    SubjectAlternativeNames: ['Example.com', name],
    KeyAlgorithm: 'EC_prime256v1',
    Tags: [{ Key: 'a', Value: 'b' }],
  });
  expect(await described(arn)).toEqual({
    CertificateArn: arn,
    DomainName: name,
    SubjectAlternativeNames: [name, 'example.com'],
    Status: 'PENDING_VALIDATION',
    Type: 'AMAZON_ISSUED',
    KeyAlgorithm: 'EC_prime256v1',
    CreatedAt: expect.any(Number),
    InUseBy: [],
    KeyUsages: [],
    ExtendedKeyUsages: [],
    RenewalEligibility: 'INELIGIBLE',
    Options: { CertificateTransparencyLoggingPreference: 'ENABLED', Export: 'DISABLED' },
    DomainValidationOptions: [name, 'example.com'].map((one) => ({
      DomainName: one,
      ValidationDomain: one,
      ValidationStatus: 'PENDING_VALIDATION',
      ValidationMethod: 'HTTP',
    })),
  });
  expect(await acm.refusal('GetCertificate', { CertificateArn: arn })).toContain('RequestInProgressException');
  const before = await asked(name, path);
  const answers: unknown[] = [];
  serve(async ({ publish }) => {
    // Only what was asked for becomes a rule.
    await publish([{ ...challenge, name: '*.example.com' }]);
    answers.push(await asked(name, path));
    await publish([challenge]);
    answers.push(await asked(name, path), await asked('elsewhere.example.com', path), await asked(name, `${path}x`));
    answers.push(challengeAnswer(await acm.balancers.read(account), challenge.token));
    return signed();
  });
  await becomes(arn, { Status: 'ISSUED', Issuer: 'Root', DomainName: name, IssuedAt: expect.any(Number) });
  expect(answers).toEqual([
    before,
    expect.objectContaining({ kind: 'fixed-response', status: 200, body: challenge.keyAuthorization }),
    before,
    before,
    challenge.keyAuthorization,
  ]);
  expect(orders.map(({ names, key }) => [names, key])).toEqual([[[name, 'example.com'], 'EC_prime256v1']]);
  // Nothing of the proof stays.
  expect(await asked(name, path)).toEqual(before);
  expect((await described(arn)).DomainValidationOptions[0].ValidationStatus).toBe('SUCCESS');
  expect(await acm.call('ListTagsForCertificate', { CertificateArn: arn })).toEqual({
    Tags: [{ Key: 'a', Value: 'b' }],
  });
  const list = await acm.call('ListCertificates', { Includes: { keyTypes: ['EC_prime256v1'] } });
  expect(list.CertificateSummaryList).toMatchObject([{ CertificateArn: arn, Status: 'ISSUED', Type: 'AMAZON_ISSUED' }]);
  expect((await acm.call('GetCertificate', { CertificateArn: arn })).CertificateChain).toBe(root.certificate);
  const secure = { LoadBalancerArn: (await call('DescribeLoadBalancers')).LoadBalancers[0].LoadBalancerArn, Port: 443 };
  await call('CreateListener', {
    ...secure,
    Protocol: 'HTTPS',
    Certificates: [{ CertificateArn: arn }],
    DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }],
  });
  expect((await described(arn)).RenewalEligibility).toBe('ELIGIBLE');
  expect(await acm.refusal('DeleteCertificate', { CertificateArn: arn })).toContain('ResourceInUseException');
});

test('a certificate that a listener has is renewed under its ARN, by whichever server, and engines get the new one', async () => {
  const { acm, call, balancerArn, groupArn, orders, serve, request, described, becomes, dueNow, said } = await open();
  const arn = await request({ KeyAlgorithm: 'EC_prime256v1' });
  const end = serve(() => Promise.resolve(signed()));
  await becomes(arn, { Status: 'ISSUED' });
  const { Serial: first } = await described(arn);
  await dueNow(arn);
  expect(await acm.refusal('RenewCertificate', { CertificateArn: arn })).toContain('not eligible for renewal');
  await end();
  await call('CreateListener', {
    LoadBalancerArn: balancerArn,
    Protocol: 'HTTPS',
    Port: 443,
    Certificates: [{ CertificateArn: arn }],
    DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }],
  });
  const refuses = serve(() => Promise.resolve(no('caa')));
  await becomes(arn, { Status: 'ISSUED', Serial: first, RenewalSummary: { RenewalStatus: 'PENDING_VALIDATION' } });
  await vi.waitFor(() => expect(said).toContainEqual(expect.stringContaining('it says caa; a CAA record')), until);
  await refuses();
  const pairs = createKeyPairs({ ...acm, region, log: { info: () => {}, warn: () => {}, error: () => {} } });
  expect((await pairs(account, arn))?.chain).toContain('BEGIN CERTIFICATE');
  serve(() => Promise.resolve(signed()));
  await acm.call('RenewCertificate', { CertificateArn: arn });
  await becomes(arn, { RenewalSummary: { RenewalStatus: 'SUCCESS', UpdatedAt: expect.any(Number) } });
  expect((await described(arn)).Serial).not.toBe(first);
  const served = new X509Certificate((await pairs(account, arn))?.chain ?? '');
  expect(served.serialNumber.toLowerCase()).toBe((await described(arn)).Serial.replaceAll(':', ''));
  expect(orders).toHaveLength(3);
});

test('a request that is refused for good fails, another one is tried again, and one that is deleted meanwhile makes nothing', async () => {
  const { acm, orders, serve, request, described, becomes, dueNow } = await open();
  const arn = await request();
  const answers = [no('connection'), no('rejectedIdentifier')];
  const deleted = Promise.withResolvers<Ordered>();
  serve(() => Promise.resolve(answers.shift() ?? deleted.promise));
  await vi.waitFor(async () => {
    const record = (await acm.balancers.read(account)).get('requested', idOf(arn));
    expect(record?.trouble).toMatchObject({ kind: 'connection', message: 'it says connection' });
  }, until);
  expect((await described(arn)).Status).toBe('PENDING_VALIDATION');
  await dueNow(arn);
  await becomes(arn, { Status: 'FAILED', FailureReason: 'DOMAIN_NOT_ALLOWED' });
  expect((await described(arn)).DomainValidationOptions[0].ValidationStatus).toBe('FAILED');
  expect(await acm.refusal('GetCertificate', { CertificateArn: arn })).toContain('ResourceNotFoundException');
  const second = await request({ DomainName: 'gone.example.com' });
  await vi.waitFor(() => expect(orders).toHaveLength(3), until);
  await acm.call('DeleteCertificate', { CertificateArn: second });
  deleted.resolve(signed());
  await ends.at(-1)?.();
  expect(await acm.refusal('DescribeCertificate', { CertificateArn: second })).toContain('ResourceNotFoundException');
  expect(await acm.balancers.keyPair(account, idOf(second))).toBe(undefined);
});

test('a server that ends in the middle of an order leaves it to another', async () => {
  const { orders, serve, request, becomes, dueNow } = await open();
  const arn = await request();
  const published = Promise.withResolvers<void>();
  const end = serve(async ({ signal, publish }) => {
    await publish([challenge]);
    published.resolve();
    return new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
    });
  });
  await published.promise;
  await end();
  await becomes(arn, { Status: 'PENDING_VALIDATION' });
  serve(() => Promise.resolve(signed()));
  await dueNow(arn);
  await becomes(arn, { Status: 'ISSUED' });
  expect(orders).toHaveLength(2);
});

test('a store that fails for a moment holds nothing up: the lease is given up, and the work begins anew', async () => {
  const { acm, serve, request, becomes, said } = await open();
  const arn = await request();
  vi.spyOn(acm.balancers, 'read').mockRejectedValueOnce(new Error('the store is away'));
  serve(() => Promise.resolve(signed()));
  await vi.waitFor(() => expect(said).toContain('cannot look after certificates now; trying again'), until);
  await becomes(arn, { Status: 'ISSUED' });
});

test('what the authority sends and engines could not serve reaches none of them', async () => {
  const { acm, serve, request } = await open();
  const arn = await request();
  serve(() => Promise.resolve({ ...signed(), key: issue().key } as Ordered));
  await vi.waitFor(async () => {
    const record = (await acm.balancers.read(account)).get('requested', idOf(arn));
    expect(record?.trouble?.message).toContain('The private key does not match');
  }, until);
  expect((await acm.balancers.read(account)).all('certificate')).toEqual([]);
});

test('requests that cannot be carried out are refused with what to do', async () => {
  const { acm, request } = await open();
  const refusal = (more: object): Promise<string> => acm.refusal('RequestCertificate', { DomainName: name, ...more });
  for (const [more, said] of [
    [
      { ValidationMethod: 'DNS' },
      'ValidationException: ValidationMethod DNS is not supported by this installation. Use HTTP',
    ],
    [{ ValidationMethod: 'EMAIL' }, 'Use HTTP'],
    [{ DomainName: '*.example.com' }, 'The wildcard *.example.com is not supported'],
    [{ SubjectAlternativeNames: ['*.example.com'] }, 'name each host'],
    [{ DomainName: 'localhost' }, 'is not a domain name'],
    [{ DomainName: '10.0.0.1' }, 'is not a domain name'],
    [{ DomainName: 'a_b.example.com' }, 'is not a domain name'],
    [{ DomainName: '-a.example.com' }, 'is not a domain name'],
    [{ DomainName: `${'a'.repeat(60)}.example.com` }, 'at most 64 characters'],
    [{ DomainName: 'Registry.example.com' }, 'is a name of the installation itself'],
    [{ SubjectAlternativeNames: Array.from({ length: 10 }, (_, i) => `${i}.example.com`) }, 'LimitExceededException'],
    [{ KeyAlgorithm: 'RSA_4096' }, 'InvalidParameterException'],
    [
      { CertificateAuthorityArn: 'arn:aws:acm-pca:us-east-1:1:certificate-authority/x' },
      'CertificateAuthorityArn is not',
    ],
    [{ DomainValidationOptions: [{ DomainName: name, ValidationDomain: 'example.com' }] }, 'without mails'],
    [{ Options: { Export: 'ENABLED' } }, 'Export ENABLED is not'],
    [{ Options: { CertificateTransparencyLoggingPreference: 'DISABLED' } }, 'The authority decides'],
    [{ ManagedBy: 'CLOUDFRONT' }, 'ManagedBy is not'],
  ] as const)
    expect(await refusal(more)).toContain(said);
  const arn = await request();
  expect(await acm.refusal('RenewCertificate', { CertificateArn: arn })).toContain('RequestInProgressException');
  expect(await acm.access('RequestCertificate', { DomainName: 'WWW.example.com', ValidationMethod: 'HTTP' })).toEqual([
    {
      action: 'acm:RequestCertificate',
      on: [expect.stringMatching(/certificate\/\*$/)],
      context: { 'acm:DomainNames': [name], 'acm:ValidationMethod': 'HTTP', 'acm:KeyAlgorithm': 'RSA_2048' },
    },
  ]);
  const imported = await acm.importIt(issue());
  expect(await acm.refusal('RenewCertificate', { CertificateArn: imported })).toContain(
    'imported certificate is not renewed',
  );
  const { certificate, key } = issue();
  expect(
    await acm.refusal('ImportCertificate', {
      CertificateArn: arn,
      Certificate: Buffer.from(certificate),
      PrivateKey: Buffer.from(key),
    }),
  ).toContain('cannot be imported');
});

test('a token makes two calls within an hour one, and no two requests', async () => {
  const { acm, request } = await open();
  const arn = await request({ IdempotencyToken: 'once' });
  expect(await request({ IdempotencyToken: 'once' })).toBe(arn);
  expect(await request({ IdempotencyToken: 'other' })).not.toBe(arn);
  expect(
    await acm.refusal('RequestCertificate', { DomainName: 'other.example.com', IdempotencyToken: 'once' }),
  ).toContain('InvalidParameterException: The IdempotencyToken was given for another request');
  acm.clock.ahead = 3_600_001;
  expect(await request({ IdempotencyToken: 'once' })).not.toBe(arn);
});
