import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client, ownStorage } from '../../testbed/clients/client.ts';
import { blobsOf, makeSampleImage, type SampleImage } from '../../testbed/clients/oci-layout.ts';
import { builtClient, installedClient, newerClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, startClientRegistry } from '../../testbed/clients/registry.ts';
import { check } from '../../testbed/command.ts';

/** Clients that are told to trust the authority of `slipway tls init`; docker is in `../tls.test.ts`. */
const programs = {
  skopeo: installedClient('skopeo'),
  podman: await newerClient('podman'),
  crane: await builtClient('crane'),
  regctl: await builtClient('regctl'),
  helm: await builtClient('helm'),
  oras: await newerClient('oras'),
};
const distrusted = /certificate signed by unknown authority/;

let registry: ClientRegistry;
let image: SampleImage;
beforeAll(async () => {
  registry = await startClientRegistry({ tls: true });
  image = makeSampleImage(join(registry.folder, 'sample'));
});
afterAll(async () => registry[Symbol.asyncDispose]());

/** A client with the image and the authority in its folder, both ways that clients look for one. */
async function at(name: keyof typeof programs, before: readonly string[] = []): Promise<Client> {
  const client = new Client(programs[name], registry.folder, before);
  mkdirSync(join(client.folder, 'certificates'));
  copyFileSync(registry.authority, join(client.folder, 'certificates', 'ca.crt'));
  await check('cp', ['-r', image.folder, join(client.folder, 'in')]);
  return client;
}
const same = (client: Client): void => expect(blobsOf(join(client.folder, 'out'))).toEqual(blobsOf(image.folder));

test.skipIf(programs.skopeo.missing)('skopeo with --cert-dir', async () => {
  const skopeo = await at('skopeo', ['--insecure-policy']);
  const remote = `docker://${registry.host}/tls/skopeo:v1`;
  const login = ['login', '-u', 'AWS', '-p', registry.password, registry.host];
  expect((await skopeo.try(login)).stderr).toMatch(distrusted);
  await skopeo.do(...login, '--cert-dir', 'certificates');
  await skopeo.do('copy', '--all', '--dest-cert-dir', 'certificates', 'oci:in:latest', remote);
  await skopeo.do('copy', '--all', '--src-cert-dir', 'certificates', remote, 'oci:out:latest');
  same(skopeo);
});

test.skipIf(programs.podman.missing)('podman with --cert-dir', async () => {
  const podman = await at('podman', ownStorage(join(registry.folder, 'podman')));
  const login = ['login', '-u', 'AWS', '-p', registry.password, registry.host];
  expect((await podman.try(login)).stderr).toMatch(distrusted);
  await podman.do(...login, '--cert-dir', 'certificates');
  const remote = `${registry.host}/tls/podman:v1`;
  const id = await podman.do('pull', '--quiet', 'oci:in:latest');
  await podman.do('push', '--cert-dir', 'certificates', id, remote);
  await podman.do('rmi', '--all', '--force');
  expect((await podman.try(['pull', remote])).stderr).toMatch(distrusted);
  expect(await podman.do('pull', '--quiet', '--cert-dir', 'certificates', remote)).toBe(id);
});

test.skipIf(programs.crane.missing)('crane with SSL_CERT_FILE', async () => {
  const crane = await at('crane');
  const env = { SSL_CERT_FILE: registry.authority };
  const name = `${registry.host}/tls/crane`;
  await crane.do('auth', 'login', registry.host, '-u', 'AWS', '-p', registry.password);
  expect((await crane.try(['push', '--index', 'in', `${name}:v1`])).stderr).toMatch(distrusted);
  expect(await crane.try(['push', '--index', 'in', `${name}:v1`], { env })).toMatchObject({ code: 0 });
  const pull = ['pull', '--format', 'oci', `${name}@${image.digest}`, 'out'];
  expect(await crane.try(pull, { env })).toMatchObject({ code: 0 });
  same(crane);
});

test.skipIf(programs.regctl.missing)('regctl with --cacert', async () => {
  const regctl = await at('regctl');
  const ping = await regctl.try(['registry', 'set', registry.host]);
  expect(ping.stderr).toMatch(distrusted);
  const authority = readFileSync(registry.authority, 'utf8');
  await regctl.do('registry', 'set', registry.host, '--tls', 'enabled', '--cacert', authority, '--skip-check');
  await regctl.do('registry', 'login', registry.host, '-u', 'AWS', '-p', registry.password);
  const remote = `${registry.host}/tls/regctl:v1`;
  await regctl.do('image', 'copy', 'ocidir://in:latest', remote);
  await regctl.do('image', 'copy', remote, 'ocidir://out:latest');
  same(regctl);
});

test.skipIf(programs.oras.missing)('oras with --ca-file', async () => {
  const oras = await at('oras');
  const authority = join('certificates', 'ca.crt');
  const login = ['login', '-u', 'AWS', '-p', registry.password, registry.host];
  expect((await oras.try(login)).stderr).toMatch(distrusted);
  await oras.do(...login, '--ca-file', authority);
  const remote = `${registry.host}/tls/oras:v1`;
  await oras.do('cp', '--from-oci-layout', '--to-ca-file', authority, 'in:latest', remote);
  await oras.do('cp', '--to-oci-layout', '--from-ca-file', authority, remote, 'out:latest');
  same(oras);
});

test.skipIf(programs.helm.missing)('helm with --ca-file', async () => {
  const helm = await at('helm');
  const authority = join('certificates', 'ca.crt');
  mkdirSync(join(helm.folder, 'chart'));
  writeFileSync(join(helm.folder, 'chart', 'Chart.yaml'), 'apiVersion: v2\nname: chart\nversion: 1.0.0\n');
  await helm.do('package', 'chart');
  const charts = `oci://${registry.host}/tls`;
  const login = ['registry', 'login', registry.host, '-u', 'AWS', '-p', registry.password];
  expect((await helm.try(login)).stderr).toMatch(distrusted);
  await helm.do(...login, '--ca-file', authority);
  await helm.do('push', 'chart-1.0.0.tgz', charts, '--ca-file', authority);
  expect(await helm.do('show', 'chart', `${charts}/chart`, '--ca-file', authority)).toContain('version: 1.0.0');
});
