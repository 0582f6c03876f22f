import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../testbed/clients/client.ts';
import { makeSampleImage, type SampleImage } from '../../testbed/clients/oci-layout.ts';
import { builtClient, newerClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, count, startClientRegistry } from '../../testbed/clients/registry.ts';

const [helmProgram, cosignProgram, orasProgram, notationProgram] = await Promise.all([
  builtClient('helm'),
  builtClient('cosign'),
  newerClient('oras'),
  newerClient('notation'),
]);
let registry: ClientRegistry;
let image: SampleImage;
/** Puts the sample image where the signers find it; any client would do. */
let oras: Client;

beforeAll(async () => {
  registry = await startClientRegistry();
  oras = new Client(orasProgram, registry.folder);
  image = makeSampleImage(join(oras.folder, 'sample'));
});
afterAll(async () => registry[Symbol.asyncDispose]());

test.skipIf(helmProgram.missing)(
  'helm pushes a chart, shows it, pulls the same bytes by version range, and takes it as a dependency',
  async () => {
    const helm = new Client(helmProgram, registry.folder);
    const plain = '--plain-http';
    const charts = `oci://${registry.host}/charts`;
    await helm.do('registry', 'login', registry.host, '-u', 'AWS', '-p', registry.password, plain);
    await helm.do('create', 'web');
    for (const version of ['1.2.3', '1.4.0', '2.0.0']) {
      await helm.do('package', 'web', '--version', version);
      await helm.do('push', `web-${version}.tgz`, charts, plain);
    }
    expect(await helm.do('show', 'chart', `${charts}/web`, '--version', '1.2.3', plain)).toContain('version: 1.2.3');
    expect(await helm.do('template', 'x', `${charts}/web`, plain)).toContain('helm.sh/chart: web-2.0.0');
    mkdirSync(join(helm.folder, 'out'));
    await helm.do('pull', `${charts}/web`, '--version', '^1.0.0', plain, '--destination', 'out');
    const pulled = readFileSync(join(helm.folder, 'out', 'web-1.4.0.tgz'));
    expect(pulled).toEqual(readFileSync(join(helm.folder, 'web-1.4.0.tgz')));
    mkdirSync(join(helm.folder, 'parent'));
    writeFileSync(
      join(helm.folder, 'parent', 'Chart.yaml'),
      `apiVersion: v2\nname: parent\nversion: 0.1.0\ndependencies:\n  - { name: web, version: ~1.2.0, repository: '${charts}' }\n`,
    );
    await helm.do('dependency', 'update', 'parent', plain);
    expect(readFileSync(join(helm.folder, 'parent', 'charts', 'web-1.2.3.tgz')).length).toBeGreaterThan(0);
    await helm.do('registry', 'logout', registry.host);
    expect((await helm.try(['pull', `${charts}/web`, plain])).stderr).toMatch(/401|unauthorized|basic credential/i);
  },
);

test.skipIf(orasProgram.missing)(
  'oras pushes files, attaches and discovers, copies with referrers by mount, pulls the same bytes, lists, deletes',
  async () => {
    const content = randomBytes(150_000);
    for (const name of ['content', 'bill.json']) writeFileSync(join(oras.folder, name), content);
    const name = `${registry.host}/oras/one`;
    const plain = '--plain-http';
    await oras.do('login', plain, '-u', 'AWS', '-p', registry.password, registry.host);
    await oras.do('push', plain, '--artifact-type', 'application/vnd.example.thing', `${name}:v1,stable`, 'content');
    await registry.requests();
    await oras.do('attach', plain, '--artifact-type', 'application/vnd.example.bill', `${name}:v1`, 'bill.json');
    const attached = await registry.requests();
    // The answer names the subject, so no fallback tag is written.
    expect(count(attached, 'PUT manifest', 201)).toBe(1);
    expect(await oras.do('discover', plain, `${name}:v1`)).toContain('application/vnd.example.bill');
    await oras.do('cp', '-r', '--from-plain-http', '--to-plain-http', `${name}:v1`, `${registry.host}/oras/two:v1`);
    const copied = await registry.requests();
    expect(count(copied, 'POST mount', 201)).toBeGreaterThanOrEqual(1);
    expect(await oras.do('discover', plain, `${registry.host}/oras/two:v1`)).toContain('application/vnd.example.bill');
    await oras.do('pull', plain, '-o', 'out', `${registry.host}/oras/two:v1`);
    expect(readFileSync(join(oras.folder, 'out', 'content'))).toEqual(content);
    expect((await oras.do('repo', 'tags', plain, name)).split('\n')).toEqual(['stable', 'v1']);
    expect((await oras.do('repo', 'ls', plain, registry.host)).split('\n')).toContain('oras/two');
    await oras.do('cp', '--from-oci-layout', '--to-plain-http', 'sample:latest', `${registry.host}/signed:v1`);
    expect(await oras.do('resolve', plain, `${registry.host}/signed:v1`)).toBe(image.digest);
    await oras.do('manifest', 'delete', plain, '--force', `${name}:v1`);
    expect((await oras.try(['resolve', plain, `${name}:stable`])).stderr).toMatch(/not found/);
  },
);

test.skipIf(cosignProgram.missing ?? orasProgram.missing).each([
  { form: 'bundles as referrers', options: ['--new-bundle-format=true'] },
  { form: 'signatures under tags', options: ['--new-bundle-format=false'] },
])('cosign signs and attests by a key, with $form, and verifies; another key is refused', async ({ form, options }) => {
  const cosign = new Client(cosignProgram, join(registry.folder, form.replaceAll(' ', '-')));
  const repository = `${registry.host}/cosign/${form.split(' ')[0] ?? ''}`;
  await oras.do('login', '--plain-http', '-u', 'AWS', '-p', registry.password, registry.host);
  await oras.do('cp', '--from-oci-layout', '--to-plain-http', 'sample:latest', `${repository}:v1`);
  await cosign.do('login', registry.host, '-u', 'AWS', '-p', registry.password);
  const reference = `${repository}@${image.digest}`;
  const offline = ['--tlog-upload=false', '--use-signing-config=false', ...options];
  await cosign.do('generate-key-pair');
  await cosign.do('sign', '--key', 'cosign.key', ...offline, '--yes', '--recursive', reference);
  writeFileSync(join(cosign.folder, 'predicate.json'), '{"fact":"tested"}');
  await cosign.do('attest', '--key', 'cosign.key', ...offline, '--yes', '--predicate', 'predicate.json', reference);
  const verify = ['--insecure-ignore-tlog=true', ...options, '--key'];
  expect(await cosign.do('verify', ...verify, 'cosign.pub', reference)).toContain(image.digest);
  await cosign.do('verify', ...verify, 'cosign.pub', `${repository}@${image.manifests['arm64'] ?? ''}`);
  expect(await cosign.do('verify-attestation', ...verify, 'cosign.pub', reference)).toContain('payload');
  expect(await cosign.do('tree', reference)).toMatch(/sig|bundle/i);
  await cosign.do('generate-key-pair', '--output-key-prefix', 'other');
  expect((await cosign.try(['verify', ...verify, 'other.pub', reference])).stderr).toMatch(/signature/i);
  // Its own copy command takes along what is under tags only.
  const copy = [`${repository}:v1`, `${repository}-copy:v1`];
  if (form === 'signatures under tags') await cosign.do('copy', ...copy);
  else await oras.do('cp', '-r', '--from-plain-http', '--to-plain-http', ...copy);
  await cosign.do('verify', ...verify, 'cosign.pub', `${repository}-copy:v1`);
});

test.skipIf(notationProgram.missing ?? orasProgram.missing)(
  'notation signs with a certificate, lists and verifies; what nobody signed is refused',
  async () => {
    const notation = new Client(notationProgram, registry.folder);
    const repository = `${registry.host}/notation`;
    await oras.do('login', '--plain-http', '-u', 'AWS', '-p', registry.password, registry.host);
    await oras.do('cp', '--from-oci-layout', '--to-plain-http', 'sample:latest', `${repository}:v1`);
    const login = ['--insecure-registry', '-u', 'AWS', '-p', registry.password];
    await notation.do('cert', 'generate-test', '--default', 'slipway.example');
    const reference = `${repository}@${image.digest}`;
    await notation.do('sign', ...login, reference);
    expect(await notation.do('list', ...login, reference)).toContain('application/vnd.cncf.notary.signature');
    const policy = {
      name: 'all',
      registryScopes: ['*'],
      signatureVerification: { level: 'strict' },
      trustStores: ['ca:slipway.example'],
      trustedIdentities: ['*'],
    };
    writeFileSync(join(notation.folder, 'policy.json'), JSON.stringify({ version: '1.0', trustPolicies: [policy] }));
    await notation.do('policy', 'import', 'policy.json');
    expect(await notation.do('verify', ...login, reference)).toContain('Successfully verified');
    const unsigned = `${repository}@${image.manifests['arm64'] ?? ''}`;
    expect((await notation.try(['verify', ...login, unsigned])).stderr).toMatch(/no signature/);
  },
);
