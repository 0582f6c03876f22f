import { createPrivateKey, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';

import { balancingKeys, balancingPartition, createKeyPairs } from '../records/index.ts';
import { issue, type Issued } from '../testing/authority.ts';
import { openAcm } from '../testing/open-acm.ts';
import { account, idOf, openBalancing, openWeb, region } from '../testing/open-balancing.ts';

const day = 86_400_000;
const bytes = (text: string): Buffer => Buffer.from(text);
let own: Issued;
let other: Issued;
let rsa: Issued;
let authority: Issued;
let middle: Issued;
let signed: Issued;

beforeAll(() => {
  own = issue();
  other = issue();
  rsa = issue({ name: 'rsa.example.com', key: ['RSA', 'rsa_keygen_bits:2048'] });
  authority = issue({ name: 'Root', names: [], isAuthority: true });
  middle = issue({ name: 'Middle', names: [], isAuthority: true, by: authority });
  signed = issue({
    name: 'api.example.com',
    names: ['api.example.com', '*.api.example.com'],
    by: middle,
    extensions: ['keyUsage=digitalSignature,keyAgreement', 'extendedKeyUsage=serverAuth,clientAuth,1.2.3.4'],
  });
});

async function open() {
  const world = await openBalancing();
  return { ...world, acm: openAcm(world) };
}

describe('an imported certificate', () => {
  test('is described as it says of itself', async () => {
    const { acm } = await open();
    const chain = middle.certificate + authority.certificate;
    const CertificateArn = await acm.importIt(signed, {
      CertificateChain: bytes(chain),
      Tags: [{ Key: 'a', Value: 'b' }],
    });
    expect(CertificateArn).toMatch(
      /^arn:aws:acm:us-east-1:\d{12}:certificate\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
    );
    const { Certificate } = await acm.call('DescribeCertificate', { CertificateArn });
    const leaf = new X509Certificate(signed.certificate);
    expect(Certificate).toEqual({
      CertificateArn,
      DomainName: 'api.example.com',
      SubjectAlternativeNames: ['api.example.com', '*.api.example.com'],
      Serial: leaf.serialNumber.toLowerCase().replaceAll(/..(?=.)/g, '$&:'),
      Subject: 'CN=api.example.com',
      Issuer: 'Middle',
      CreatedAt: expect.any(Number),
      ImportedAt: expect.any(Number),
      Status: 'ISSUED',
      NotBefore: Number(leaf.validFromDate) / 1000,
      NotAfter: Number(leaf.validToDate) / 1000,
      KeyAlgorithm: 'EC_prime256v1',
      SignatureAlgorithm: 'SHA256WITHECDSA',
      InUseBy: [],
      Type: 'IMPORTED',
      KeyUsages: [{ Name: 'DIGITAL_SIGNATURE' }, { Name: 'KEY_AGREEMENT' }],
      ExtendedKeyUsages: [
        { Name: 'TLS_WEB_SERVER_AUTHENTICATION', OID: '1.3.6.1.5.5.7.3.1' },
        { Name: 'TLS_WEB_CLIENT_AUTHENTICATION', OID: '1.3.6.1.5.5.7.3.2' },
        { Name: 'CUSTOM', OID: '1.2.3.4' },
      ],
      RenewalEligibility: 'INELIGIBLE',
      Options: { CertificateTransparencyLoggingPreference: 'DISABLED', Export: 'DISABLED' },
    });
    expect(await acm.call('GetCertificate', { CertificateArn })).toEqual({
      Certificate: signed.certificate,
      CertificateChain: chain,
    });
    expect(await acm.call('ListTagsForCertificate', { CertificateArn })).toEqual({ Tags: [{ Key: 'a', Value: 'b' }] });
  });

  test('has a key that is stored sealed, for it alone, and that no answer holds', async () => {
    const { acm, records } = await open();
    const arn = await acm.importIt(own);
    const stored = await records.get(balancingPartition(account), balancingKeys.keyPair(idOf(arn)));
    expect(JSON.stringify(stored)).not.toContain('PRIVATE KEY');
    const pairs = createKeyPairs({ balancers: acm.balancers, sealer: acm.sealer, region, log: silent([]) });
    const pair = await pairs(account, arn);
    expect(pair?.chain).toBe(own.certificate);
    expect(createPrivateKey(pair?.privateKey ?? '').equals(createPrivateKey(own.key))).toBe(true);
    const answers = await Promise.all(
      ['DescribeCertificate', 'GetCertificate', 'ListTagsForCertificate'].map((name) =>
        acm.call(name, { CertificateArn: arn }),
      ),
    );
    answers.push(await acm.call('ListCertificates', { Includes: { keyTypes: ['EC_prime256v1'] } }));
    expect(JSON.stringify(answers)).not.toMatch(/PRIVATE|sealed/);
    // The sealed key of one certificate opens as no other's.
    const second = await acm.importIt(other);
    await records.commit(balancingPartition(account), {
      put: [{ key: balancingKeys.keyPair(idOf(second)), value: stored?.value as never }],
    });
    const errors: unknown[] = [];
    expect(
      await createKeyPairs({ balancers: acm.balancers, sealer: acm.sealer, region, log: silent(errors) })(
        account,
        second,
      ),
    ).toBe(undefined);
    expect(errors).toHaveLength(1);
  });

  test('is served anew after it was imported again, and no longer after it was deleted', async () => {
    const { acm } = await open();
    const CertificateArn = await acm.importIt(own, { Tags: [{ Key: 'team', Value: 'blue' }] });
    const pairs = createKeyPairs({ balancers: acm.balancers, sealer: acm.sealer, region, log: silent([]) });
    expect((await pairs(account, CertificateArn))?.chain).toBe(own.certificate);
    const generation = (await acm.balancers.read(account)).generation;
    expect(await acm.importIt(other, { CertificateArn })).toBe(CertificateArn);
    // Engines are told it under a generation of its own.
    expect((await acm.balancers.read(account)).generation).toBeGreaterThan(generation);
    expect((await pairs(account, CertificateArn))?.chain).toBe(other.certificate);
    expect((await acm.call('ListTagsForCertificate', { CertificateArn })).Tags).toHaveLength(1);
    await acm.call('DeleteCertificate', { CertificateArn });
    expect(await pairs(account, CertificateArn)).toBe(undefined);
    expect(await acm.balancers.keyPair(account, idOf(CertificateArn))).toBe(undefined);
    expect(await acm.refusal('DescribeCertificate', { CertificateArn })).toBe(
      `ResourceNotFoundException: Could not find certificate ${CertificateArn}.`,
    );
  });

  test('keeps its key type, its uses and its tags when it is imported again', async () => {
    const { acm } = await open();
    const CertificateArn = await acm.importIt(signed, { CertificateChain: bytes(middle.certificate) });
    const again = (given: Issued, more: object = {}): Promise<string> =>
      acm.refusal('ImportCertificate', {
        CertificateArn,
        Certificate: bytes(given.certificate),
        PrivateKey: bytes(given.key),
        ...more,
      });
    expect(await again(rsa)).toContain('ValidationException: The key type and size');
    expect(await again(own, { Tags: [{ Key: 'a', Value: 'b' }] })).toBe(
      'ValidationException: Tagging is not permitted on re-import.',
    );
    expect(await again(issue({ extensions: ['keyUsage=digitalSignature'] }))).toContain('Key usages');
    expect(await again(issue({ extensions: ['extendedKeyUsage=serverAuth'] }))).toContain('Key usages');
    const unknown = CertificateArn.replace(/.{4}$/, 'ffff');
    expect(
      await acm.refusal('ImportCertificate', {
        CertificateArn: unknown,
        Certificate: bytes(own.certificate),
        PrivateKey: bytes(own.key),
      }),
    ).toContain('ResourceNotFoundException');
  });

  test('that a listener has is in use, and is not deleted', async () => {
    const world = await openWeb();
    const acm = openAcm(world);
    const arn = await acm.importIt(own);
    const second = await acm.importIt(other);
    const [{ ListenerArn }] = (
      await world.call('CreateListener', {
        LoadBalancerArn: world.balancerArn,
        Protocol: 'HTTPS',
        Port: 443,
        Certificates: [{ CertificateArn: arn }],
        DefaultActions: [{ Type: 'forward', TargetGroupArn: world.groupArn }],
      })
    ).Listeners;
    await world.call('AddListenerCertificates', { ListenerArn, Certificates: [{ CertificateArn: second }] });
    for (const CertificateArn of [arn, second]) {
      expect(await acm.refusal('DeleteCertificate', { CertificateArn })).toContain(
        'ResourceInUseException: Certificate arn',
      );
      expect((await acm.call('DescribeCertificate', { CertificateArn })).Certificate.InUseBy).toEqual([
        world.balancerArn,
      ]);
    }
    await world.call('RemoveListenerCertificates', { ListenerArn, Certificates: [{ CertificateArn: second }] });
    await acm.call('DeleteCertificate', { CertificateArn: second });
    await world.call('DeleteListener', { ListenerArn });
    await acm.call('DeleteCertificate', { CertificateArn: arn });
  });

  test('ends, and says so', async () => {
    const { acm } = await open();
    const CertificateArn = await acm.importIt(own);
    acm.clock.ahead = 31 * day;
    expect((await acm.call('DescribeCertificate', { CertificateArn })).Certificate.Status).toBe('EXPIRED');
    const keyTypes = { keyTypes: ['EC_prime256v1'] };
    const list = async (CertificateStatuses: string[]): Promise<number> =>
      (await acm.call('ListCertificates', { Includes: keyTypes, CertificateStatuses })).CertificateSummaryList.length;
    expect([await list(['ISSUED']), await list(['EXPIRED', 'ISSUED'])]).toEqual([0, 1]);
  });
});

const silent = (errors: unknown[]) => ({
  info: () => {},
  warn: () => {},
  error: (fields: unknown) => errors.push(fields),
});

describe('what ACM does not take', () => {
  const cases: readonly [
    string,
    () => { certificate?: string; key?: string; chain?: string; ahead?: number },
    string,
  ][] = [
    [
      'no PEM',
      () => ({ certificate: 'hello' }),
      'Unable to parse certificate. Please ensure the certificate is in PEM format.',
    ],
    [
      'PEM of nothing',
      () => ({ certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }),
      'Unable to parse certificate',
    ],
    ['text around it', () => ({ certificate: `x ${own.certificate}` }), 'Unable to parse certificate'],
    ['a key in the place of a certificate', () => ({ certificate: own.key }), 'Unable to parse certificate'],
    [
      'the chain in it',
      () => ({ certificate: signed.certificate + middle.certificate, key: signed.key }),
      'more than one certificate',
    ],
    ['a key of another', () => ({ key: other.key }), 'The private key does not match the certificate.'],
    ['a key of another kind', () => ({ key: rsa.key }), 'The private key does not match the certificate.'],
    ['no key', () => ({ key: 'x' }), 'The private key is not supported.'],
    ['two keys', () => ({ key: own.key + other.key }), 'The private key is not supported.'],
    ['a certificate in the place of a key', () => ({ key: own.certificate }), 'The private key is not supported.'],
    ['a key with a passphrase', () => ({ key: encrypted(own.key) }), 'Your private key should not be encrypted.'],
    [
      'a short key',
      () => issue({ key: ['RSA', 'rsa_keygen_bits:1024'] }),
      'The private key length is not supported for key algorithm.',
    ],
    ['another algorithm', () => issue({ key: ['ED25519'] }), 'The private key is not supported.'],
    ['another curve', () => issue({ key: ['EC', 'ec_paramgen_curve:secp256k1'] }), 'The private key is not supported.'],
    ['one that has ended', () => ({ ahead: 31 * day }), 'The certificate has expired, is not valid.'],
    ['one that has not begun', () => ({ ahead: -2 * day }), 'The certificate is not in effect yet, is not valid.'],
    [
      'one whose authority is missing',
      () => ({ certificate: signed.certificate, key: signed.key }),
      'Provided certificate is not a valid self signed.',
    ],
    [
      'a chain of somebody else',
      () => ({ certificate: signed.certificate, key: signed.key, chain: authority.certificate }),
      'Could not validate the certificate with the certificate chain.',
    ],
    [
      'a chain in the wrong order',
      () => ({ certificate: signed.certificate, key: signed.key, chain: authority.certificate + middle.certificate }),
      'Could not validate the certificate with the certificate chain.',
    ],
    [
      'a chain over one that is no authority',
      () => {
        const by = issue({ name: 'Leaf' });
        return { ...issue({ by }), chain: by.certificate };
      },
      'Could not validate the certificate with the certificate chain.',
    ],
    ['a chain that is no PEM', () => ({ chain: 'x' }), 'The certificate chain provided is not in a valid PEM format.'],
    ['a long chain', () => ({ chain: authority.certificate.repeat(11) }), 'more than 10 certificates'],
    ['one without a name', () => issue({ name: '', names: [] }), 'neither a common name'],
  ];

  test.each(cases)('%s', async (_, given, message) => {
    const { acm } = await open();
    const { certificate = own.certificate, key = own.key, chain, ahead = 0 } = given();
    acm.clock.ahead = ahead;
    const refusal = await acm.refusal('ImportCertificate', {
      Certificate: bytes(certificate),
      PrivateKey: bytes(key),
      ...(chain === undefined ? {} : { CertificateChain: bytes(chain) }),
    });
    expect(refusal).toContain('ValidationException: ');
    expect(refusal).toContain(message);
    for (const line of key.split('\n').filter((text) => text.length > 40)) expect(refusal).not.toContain(line);
    expect((await acm.balancers.read(account)).all('certificate')).toEqual([]);
  });

  test.each([
    [{ Certificate: Buffer.alloc(32_769), PrivateKey: Buffer.alloc(10) }, 'certificate'],
    [{ Certificate: Buffer.alloc(10), PrivateKey: Buffer.alloc(5121, 'k') }, 'privateKey'],
    [{ Certificate: Buffer.alloc(10), PrivateKey: Buffer.alloc(0) }, 'privateKey'],
    [{ Certificate: Buffer.alloc(10) }, 'privateKey'],
    [{ Certificate: Buffer.alloc(1), PrivateKey: Buffer.alloc(1), CertificateArn: 'arn:aws:acm' }, 'certificateArn'],
  ])('sizes and members: %#', async (input, member) => {
    const { acm } = await open();
    const refusal = await acm.refusal('ImportCertificate', input);
    expect(refusal).toContain('ValidationException');
    expect(refusal.toLowerCase()).toContain(member.toLowerCase());
    expect(refusal).not.toContain('kkk');
  });

  test('what is no ARN, and what is of others', async () => {
    const { acm } = await open();
    const CertificateArn = await acm.importIt(own);
    expect(await acm.refusal('DescribeCertificate', { CertificateArn: 'arn:aws:iam::000000000000:role/x' })).toContain(
      'InvalidArnException',
    );
    expect(await acm.refusal('DescribeCertificate', { CertificateArn }, '111111111111')).toContain(
      'ResourceNotFoundException',
    );
    expect(
      await acm.refusal('DeleteCertificate', { CertificateArn: CertificateArn.replace('us-east-1', 'eu-west-1') }),
    ).toContain('ResourceNotFoundException');
  });

  test('what is not served says what to do instead', async () => {
    const { acm } = await open();
    const CertificateArn = await acm.importIt(own);
    expect(await acm.refusal('ExportCertificate', { CertificateArn, Passphrase: bytes('1234') })).toBe(
      `ValidationException: Certificate ARN: ${CertificateArn} is not a private certificate`,
    );
    expect(await acm.refusal('RequestCertificate', { DomainName: 'example.com' })).toBe(
      'ValidationException: RequestCertificate is not supported by this installation. It has no authority: its operator sets SLIPWAY_ACME_DOMAINS, and its certificates and yours come by ACME. Or have one issued elsewhere, and give it to ImportCertificate.',
    );
    expect(await acm.refusal('UpdateCertificateOptions', { CertificateArn })).toContain(
      'Certificates have no options here',
    );
  });
});

function encrypted(key: string): string {
  return createPrivateKey(key).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  }) as string;
}

describe('lists and tags', () => {
  test('a list shows RSA keys unless others are asked for, page by page, in the order of their making', async () => {
    const { acm } = await open();
    const first = await acm.importIt(rsa);
    acm.clock.ahead = 1000;
    const second = await acm.importIt(own);
    const arns = async (input: object): Promise<string[]> =>
      (await acm.call('ListCertificates', input)).CertificateSummaryList.map(
        ({ CertificateArn }: { CertificateArn: string }) => CertificateArn,
      );
    expect(await arns({})).toEqual([first]);
    const all = { Includes: { keyTypes: ['RSA_2048', 'EC_prime256v1'] }, SortBy: 'CREATED_AT' };
    expect(await arns({ ...all, SortOrder: 'ASCENDING' })).toEqual([first, second]);
    expect(await arns({ ...all, SortOrder: 'DESCENDING' })).toEqual([second, first]);
    const { NextToken } = await acm.call('ListCertificates', { ...all, SortOrder: 'DESCENDING', MaxItems: 1 });
    expect(await arns({ ...all, SortOrder: 'DESCENDING', MaxItems: 1, NextToken })).toEqual([first]);
    expect(await acm.refusal('ListCertificates', { ...all, SortOrder: 'ASCENDING', NextToken })).toContain('NextToken');
    expect(await acm.refusal('ListCertificates', { SortBy: 'CREATED_AT' })).toContain('InvalidArgsException');
    expect(await arns({ Includes: { ...all.Includes, keyUsage: ['CRL_SIGNING'] } })).toEqual([]);
    expect(await arns({ Includes: { ...all.Includes, extendedKeyUsage: ['NONE'] } })).toHaveLength(2);
    expect(await arns({ Includes: { ...all.Includes, exportOption: 'ENABLED' } })).toEqual([]);
    expect((await acm.call('ListCertificates', {})).CertificateSummaryList).toMatchObject([
      { DomainName: 'rsa.example.com', SubjectAlternativeNameSummaries: ['rsa.example.com'], InUse: false },
    ]);
  });

  test('tags are added, removed by key or by key and value, and bounded', async () => {
    const { acm } = await open();
    const CertificateArn = await acm.importIt(own);
    const tags = async (): Promise<object[]> => (await acm.call('ListTagsForCertificate', { CertificateArn })).Tags;
    await acm.call('AddTagsToCertificate', { CertificateArn, Tags: [{ Key: 'a', Value: '1' }, { Key: 'b' }] });
    expect(await tags()).toEqual([
      { Key: 'a', Value: '1' },
      { Key: 'b', Value: '' },
    ]);
    await acm.call('RemoveTagsFromCertificate', { CertificateArn, Tags: [{ Key: 'a', Value: '2' }, { Key: 'b' }] });
    expect(await tags()).toEqual([{ Key: 'a', Value: '1' }]);
    const many = Array.from({ length: 51 }, (_, i) => ({ Key: `k${i}`, Value: '' }));
    expect(await acm.refusal('AddTagsToCertificate', { CertificateArn, Tags: many })).toContain('TooManyTagsException');
    expect(
      await acm.refusal('AddTagsToCertificate', { CertificateArn, Tags: [{ Key: 'aws:x', Value: '' }] }),
    ).toContain('InvalidTagException');
    expect(await acm.refusal('AddTagsToCertificate', { CertificateArn, Tags: [] })).toContain('ValidationException');
  });

  test('who may: by ARN, by tags, by the tags of the request', async () => {
    const { acm } = await open();
    const CertificateArn = await acm.importIt(own);
    const on = CertificateArn.replace(/certificate\/.*/, 'certificate/*');
    const pem = { Certificate: bytes('x'), PrivateKey: bytes('x') };
    expect(await acm.access('ImportCertificate', { ...pem, Tags: [{ Key: 'team', Value: 'blue' }] })).toEqual([
      {
        action: 'acm:ImportCertificate',
        on: [on],
        context: { 'aws:TagKeys': ['team'], 'aws:RequestTag/team': 'blue' },
      },
    ]);
    expect(await acm.access('ImportCertificate', { ...pem, CertificateArn })).toMatchObject([{ on: [CertificateArn] }]);
    expect(await acm.access('ListCertificates')).toMatchObject([{ on: ['*'] }]);
    expect(await acm.access('RemoveTagsFromCertificate', { CertificateArn, Tags: [{ Key: 'a' }] })).toMatchObject([
      { action: 'acm:RemoveTagsFromCertificate', on: [CertificateArn], context: { 'aws:TagKeys': ['a'] } },
    ]);
  });
});
