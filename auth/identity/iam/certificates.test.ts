import {
  CreateUserCommand,
  DeleteServerCertificateCommand,
  DeleteSigningCertificateCommand,
  DeleteSSHPublicKeyCommand,
  DeleteUserCommand,
  GetAccountSummaryCommand,
  GetServerCertificateCommand,
  GetSSHPublicKeyCommand,
  ListServerCertificatesCommand,
  ListServerCertificateTagsCommand,
  ListSigningCertificatesCommand,
  ListSSHPublicKeysCommand,
  TagServerCertificateCommand,
  UpdateServerCertificateCommand,
  UpdateSigningCertificateCommand,
  UpdateSSHPublicKeyCommand,
  UploadServerCertificateCommand,
  UploadSigningCertificateCommand,
  UploadSSHPublicKeyCommand,
} from '@aws-sdk/client-iam';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as iamModule from '@aws-sdk/client-iam';
import { ACCOUNT, type Installation, openInstallation } from '../testing/installation.ts';

let installation: Installation;
const folder = mkdtempSync(join(tmpdir(), 'slipway-certificates-'));
beforeAll(async () => {
  installation = await openInstallation();
});
afterAll(async () => {
  await installation[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A self-signed certificate and its key, in PEM. */
function certificate(name: string): { readonly body: string; readonly key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const subject = ['-subj', `/CN=${name}`, '-days', '30', '-nodes', '-newkey', 'rsa:2048'];
  execFileSync('openssl', ['req', '-x509', ...subject, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  return { body: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
}

/** A public key as `ssh-keygen` writes it, from the bytes of RFC 4253. */
function sshKey(bits = 2048): { readonly ssh: string; readonly pem: string } {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, bytes.length >> 8, bytes.length & 255]), bytes]);
  const modulus = Buffer.concat([Buffer.alloc(1), Buffer.from(n, 'base64url')]);
  const bytes = Buffer.concat([field(Buffer.from('ssh-rsa')), field(Buffer.from(e, 'base64url')), field(modulus)]);
  return {
    ssh: `ssh-rsa ${bytes.toString('base64')}`,
    pem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  };
}

test('SSH public keys: both forms in, both forms out, a state, and no user goes without them going first', async () => {
  const iam = installation.iam();
  const UserName = 'coder';
  await iam.send(new CreateUserCommand({ UserName }));
  const { ssh, pem } = sshKey();
  const upload = (SSHPublicKeyBody: string) => iam.send(new UploadSSHPublicKeyCommand({ UserName, SSHPublicKeyBody }));
  const { SSHPublicKey: made } = await upload(`${ssh} coder@example.com\n`);
  expect(made).toMatchObject({
    UserName,
    SSHPublicKeyId: expect.stringMatching(/^APKA[A-Z2-7]{17}$/),
    SSHPublicKeyBody: ssh,
    Fingerprint: expect.stringMatching(/^(?:[0-9a-f]{2}:){15}[0-9a-f]{2}$/),
    Status: 'Active',
  });
  await expect(upload(pem)).rejects.toMatchObject({ name: 'DuplicateSSHPublicKeyException' });
  const SSHPublicKeyId = made?.SSHPublicKeyId;
  const get = async (Encoding: 'SSH' | 'PEM') =>
    (await iam.send(new GetSSHPublicKeyCommand({ UserName, SSHPublicKeyId, Encoding }))).SSHPublicKey?.SSHPublicKeyBody;
  expect([await get('SSH'), await get('PEM')]).toEqual([ssh, pem]);
  const ed25519 = generateKeyPairSync('ed25519').publicKey.export({ type: 'spki', format: 'pem' }).toString();
  for (const bad of ['hello', 'ssh-rsa AAAA', 'ssh-ed25519 AAAA', ed25519, sshKey(1024).ssh, `${ssh.slice(0, -8)}`])
    await expect(upload(bad)).rejects.toMatchObject({ name: 'InvalidPublicKeyException' });
  await iam.send(new UpdateSSHPublicKeyCommand({ UserName, SSHPublicKeyId, Status: 'Inactive' }));
  const { SSHPublicKeys } = await iam.send(new ListSSHPublicKeysCommand({ UserName }));
  expect(SSHPublicKeys).toEqual([{ UserName, SSHPublicKeyId, Status: 'Inactive', UploadDate: expect.any(Date) }]);
  await expect(iam.send(new DeleteUserCommand({ UserName }))).rejects.toMatchObject({
    name: 'DeleteConflictException',
  });
  await iam.send(new DeleteSSHPublicKeyCommand({ UserName, SSHPublicKeyId }));
  await expect(iam.send(new DeleteSSHPublicKeyCommand({ UserName, SSHPublicKeyId }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
    message: `The Public Key with id ${SSHPublicKeyId} cannot be found.`,
  });
  await iam.send(new DeleteUserCommand({ UserName }));
});

test('signing certificates: two of a user, each once, with a state', async () => {
  const iam = installation.iam();
  const UserName = 'signer';
  await iam.send(new CreateUserCommand({ UserName }));
  const upload = (CertificateBody: string) =>
    iam.send(new UploadSigningCertificateCommand({ UserName, CertificateBody }));
  const [one, two, three] = ['one', 'two', 'three'].map(certificate);
  const made = (await upload(one?.body ?? '')).Certificate;
  expect(made).toMatchObject({ CertificateBody: one?.body, Status: 'Active', UserName });
  await expect(upload(one?.body ?? '')).rejects.toMatchObject({ name: 'DuplicateCertificateException' });
  for (const bad of ['hello', one?.key ?? '', `${two?.body}${three?.body}`, `${two?.body}x`])
    await expect(upload(bad)).rejects.toMatchObject({ name: 'MalformedCertificateException' });
  await upload(two?.body ?? '');
  await expect(upload(three?.body ?? '')).rejects.toMatchObject({ name: 'LimitExceededException' });
  const { CertificateId } = made ?? {};
  await iam.send(new UpdateSigningCertificateCommand({ UserName, CertificateId, Status: 'Inactive' }));
  const { Certificates } = await iam.send(new ListSigningCertificatesCommand({ UserName }));
  expect(Certificates?.find((each) => each.CertificateId === CertificateId)?.Status).toBe('Inactive');
  await iam.send(new DeleteSigningCertificateCommand({ UserName, CertificateId }));
  await expect(iam.send(new DeleteSigningCertificateCommand({ UserName, CertificateId }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
});

test('server certificates: kept with tags under a path, their keys sealed and never shown', async () => {
  const iam = installation.iam();
  const { body, key } = certificate('web.example.com');
  const other = certificate('other.example.com');
  const upload = (change: object = {}) =>
    iam.send(
      new UploadServerCertificateCommand({
        ServerCertificateName: 'web',
        Path: '/lb/',
        CertificateBody: body,
        CertificateChain: other.body,
        PrivateKey: key,
        Tags: [{ Key: 'team', Value: 'a' }],
        ...change,
      }),
    );
  await expect(upload({ PrivateKey: other.key })).rejects.toMatchObject({ name: 'KeyPairMismatchException' });
  for (const bad of [{ CertificateBody: 'x' }, { CertificateChain: 'x' }, { PrivateKey: body }])
    await expect(upload(bad)).rejects.toMatchObject({ name: 'MalformedCertificateException' });
  const { ServerCertificateMetadata: made } = await upload();
  expect(made).toMatchObject({
    Arn: `arn:aws:iam::${ACCOUNT}:server-certificate/lb/web`,
    ServerCertificateId: expect.stringMatching(/^ASCA/),
    Expiration: expect.any(Date),
  });
  await expect(upload()).rejects.toMatchObject({ name: 'EntityAlreadyExistsException' });
  const got = await iam.send(new GetServerCertificateCommand({ ServerCertificateName: 'web' }));
  expect(got.ServerCertificate).toMatchObject({ CertificateBody: body.trim(), CertificateChain: other.body.trim() });
  expect(JSON.stringify(got)).not.toContain('PRIVATE KEY');
  const stored = await installation.records.list(`iam/${ACCOUNT}`, { prefix: 'server-certificate/', limit: 10 });
  expect(JSON.stringify(stored.records)).not.toContain('PRIVATE KEY');
  await iam.send(new TagServerCertificateCommand({ ServerCertificateName: 'web', Tags: [{ Key: 'x', Value: 'y' }] }));
  const { Tags } = await iam.send(new ListServerCertificateTagsCommand({ ServerCertificateName: 'web' }));
  expect(Tags).toHaveLength(2);
  await iam.send(
    new UpdateServerCertificateCommand({
      ServerCertificateName: 'web',
      NewServerCertificateName: 'web2',
      NewPath: '/',
    }),
  );
  const listed = async (PathPrefix: string) =>
    (await iam.send(new ListServerCertificatesCommand({ PathPrefix }))).ServerCertificateMetadataList?.map(
      ({ ServerCertificateName }) => ServerCertificateName,
    );
  expect([await listed('/'), await listed('/lb/')]).toEqual([['web2'], []]);
  expect((await iam.send(new GetAccountSummaryCommand({}))).SummaryMap?.ServerCertificates).toBe(1);
  await iam.send(new DeleteServerCertificateCommand({ ServerCertificateName: 'web2' }));
  await expect(iam.send(new DeleteServerCertificateCommand({ ServerCertificateName: 'web2' }))).rejects.toMatchObject({
    name: 'NoSuchEntityException',
  });
});

test('server certificates that a listener has are neither deleted nor renamed, and are opened for listeners by their ARN', async () => {
  const iam = installation.iam();
  const { body, key } = certificate('served.example.com');
  const { ServerCertificateMetadata: made } = await iam.send(
    new UploadServerCertificateCommand({
      ServerCertificateName: 'served',
      Path: '/lb/',
      CertificateBody: body,
      PrivateKey: key,
    }),
  );
  const { Arn: arn = '', ServerCertificateId: id = '' } = made ?? {};
  const { identity } = installation;
  expect(await identity.serverCertificate(ACCOUNT, arn)).toEqual({ certificate: body.trim(), privateKey: key });
  for (const other of [arn.replace('/lb/', '/'), arn.replace('served', 'other'), arn.replace(ACCOUNT, '111111111111')])
    expect(await identity.serverCertificate(ACCOUNT, other)).toBe(undefined);
  const asked: unknown[] = [];
  let users = ['arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/web/1'];
  identity.guardServerCertificates((...given) => {
    asked.push(given);
    return Promise.resolve(users);
  });
  const remove = () => iam.send(new DeleteServerCertificateCommand({ ServerCertificateName: 'served' }));
  const update = (change: object) =>
    iam.send(new UpdateServerCertificateCommand({ ServerCertificateName: 'served', ...change }));
  await expect(remove()).rejects.toMatchObject({
    name: 'DeleteConflictException',
    message: `Certificate: ${id} is currently in use by ${users[0]}. Please remove it first before deleting it from IAM.`,
  });
  for (const change of [{ NewPath: '/' }, { NewServerCertificateName: 'renamed' }])
    await expect(update(change)).rejects.toMatchObject({ name: 'DeleteConflictException' });
  await update({});
  expect(asked).toEqual([
    [ACCOUNT, arn],
    [ACCOUNT, arn],
    [ACCOUNT, arn],
  ]);
  users = [];
  await update({ NewPath: '/' });
  await remove();
  identity.guardServerCertificates(() => Promise.resolve([]));
});

test('every operation of the IAM model is there: served, or refused by its name with what to do instead', async () => {
  const [served] = installation.identity.services;
  const all = Object.keys(iamModule).flatMap((name) => /^([A-Z]\w+)Command$/.exec(name)?.[1] ?? []);
  expect(all.length).toBeGreaterThan(170);
  expect(all.filter((name) => !Object.hasOwn(served?.operations ?? {}, name))).toEqual([]);
  await expect(installation.iam().send(new iamModule.ListSAMLProvidersCommand({}))).rejects.toMatchObject({
    name: 'UnsupportedOperation',
    message:
      'ListSAMLProviders is not supported by this installation. Identity providers are OpenID Connect ones here (CreateOpenIDConnectProvider).',
  });
});
