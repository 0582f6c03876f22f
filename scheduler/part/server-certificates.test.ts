import { createPrivateKey } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';

import { createKeyPairs, serverCertificateId } from '../balancing/records/index.ts';
import { issue, type Issued } from '../balancing/testing/authority.ts';
import { openAcm } from '../balancing/testing/open-acm.ts';
import { account, openWeb, region } from '../balancing/testing/open-balancing.ts';

import { releaseServerCertificate, serverCertificates } from './server-certificates.ts';

const place = { region, account };
const arn = `arn:aws:iam::${account}:server-certificate/lb/web`;
const actions = [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200' } }];
let root: Issued;
let web: Issued;

beforeAll(() => {
  root = issue({ name: 'Root', names: [], isAuthority: true });
  web = issue({ by: root });
});

/** Load balancers on whose listeners a certificate of IAM's may be. */
async function open(chain: string | undefined = root.certificate) {
  const world = await openWeb();
  const { sealer, ...acm } = openAcm(world);
  const held = { certificate: web.certificate, privateKey: web.key, ...(chain === undefined ? {} : { chain }) };
  const finder = serverCertificates((_account, asked) => Promise.resolve(asked === arn ? held : undefined), sealer);
  const id = serverCertificateId(place, arn) ?? '';
  const found = await finder.find(place, arn, id, Date.now());
  if (found !== undefined) world.serverCertificates.set(arn, found);
  const pairs = createKeyPairs({
    balancers: world.balancers,
    sealer,
    region,
    log: { info: () => {}, warn: () => {}, error: () => {} },
  });
  const secure = { LoadBalancerArn: world.balancerArn, Protocol: 'HTTPS', Port: 443, DefaultActions: actions };
  return { ...world, acm, id, pairs, secure, release: () => releaseServerCertificate(world.balancers, place, arn) };
}

test('listeners of all kinds take a server certificate of IAM, and it is let go when the last one is gone', async () => {
  const { addCertificate, balancers, balancerArn, call, classic, acm, id, network, pairs, secure, release } =
    await open();
  expect(await pairs(account, arn)).toBe(undefined);
  expect(await release()).toEqual([]);
  const given = { ...secure, Certificates: [{ CertificateArn: arn }] };
  const listener = (await call('CreateListener', given)).Listeners[0];
  expect(listener.Certificates).toEqual([{ CertificateArn: arn }]);
  const pair = await pairs(account, arn);
  expect(pair?.chain).toBe(web.certificate + root.certificate);
  expect(createPrivateKey(pair?.privateKey ?? '').equals(createPrivateKey(web.key))).toBe(true);
  // It is no certificate of ACM's API.
  expect(await acm.call('ListCertificates', { Includes: { keyTypes: ['EC_prime256v1'] } })).toEqual({
    CertificateSummaryList: [],
  });
  expect(await acm.refusal('DescribeCertificate', { CertificateArn: arn })).toContain('InvalidArnException');
  expect(await release()).toEqual([balancerArn]);
  const own = await addCertificate();
  await call('ModifyListener', { ListenerArn: listener.ListenerArn, Certificates: [{ CertificateArn: own }] });
  await call('AddListenerCertificates', { ListenerArn: listener.ListenerArn, Certificates: [{ CertificateArn: arn }] });
  await classic.call('CreateLoadBalancer', {
    LoadBalancerName: 'old',
    Subnets: network.subnets.slice(0, 1),
    Listeners: [
      { Protocol: 'HTTPS', LoadBalancerPort: 443, InstanceProtocol: 'HTTP', InstancePort: 80, SSLCertificateId: arn },
    ],
  });
  expect(await release()).toEqual([balancerArn, expect.stringMatching(/loadbalancer\/old$/)]);
  await call('DeleteListener', { ListenerArn: listener.ListenerArn });
  await classic.call('DeleteLoadBalancer', { LoadBalancerName: 'old' });
  expect(await release()).toEqual([]);
  expect((await balancers.read(account)).get('certificate', id)).toBe(undefined);
  expect([await balancers.keyPair(account, id), await pairs(account, arn)]).toEqual([undefined, undefined]);
});

test('one that is not there, or that no engine could serve, is no listener’s', async () => {
  const { balancers, classic, network, refusal, secure } = await open('');
  const given = { ...secure, Certificates: [{ CertificateArn: arn }] };
  expect(await refusal('CreateListener', given)).toMatch(
    /^InvalidConfigurationRequest: The server certificate 'arn:.*\/lb\/web' cannot be served: /,
  );
  for (const other of [arn.replace('/lb/', '/'), arn.replace(account, '111111111111')])
    expect(await refusal('CreateListener', { ...secure, Certificates: [{ CertificateArn: other }] })).toBe(
      `CertificateNotFound: Certificate '${other}' not found`,
    );
  expect(
    await classic.refusal('CreateLoadBalancer', {
      LoadBalancerName: 'old',
      Subnets: network.subnets.slice(0, 1),
      Listeners: [{ Protocol: 'SSL', LoadBalancerPort: 443, InstancePort: 80, SSLCertificateId: arn }],
    }),
  ).toContain('cannot be served');
  expect((await balancers.read(account)).all('certificate')).toEqual([]);
});
