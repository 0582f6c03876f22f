import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../testbed/clients/client.ts';
import { blobsOf, makeSampleImage, type SampleImage, tarOf } from '../../testbed/clients/oci-layout.ts';
import { builtClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, count, startClientRegistry } from '../../testbed/clients/registry.ts';
import { check } from '../../testbed/command.ts';

const [craneProgram, regctlProgram] = await Promise.all([builtClient('crane'), builtClient('regctl')]);
let registry: ClientRegistry;
let image: SampleImage;

beforeAll(async () => {
  registry = await startClientRegistry();
  image = makeSampleImage(join(registry.folder, 'sample'));
});
afterAll(async () => registry[Symbol.asyncDispose]());

test.skipIf(craneProgram.missing)(
  'crane pushes an index, copies it by mount, pulls it byte for byte; appends, lists, validates, tags and deletes',
  async () => {
    const crane = new Client(craneProgram, registry.folder);
    const name = `${registry.host}/crane/one`;
    await crane.do('auth', 'login', registry.host, '-u', 'AWS', '-p', registry.password);
    await crane.do('push', '--index', image.folder, `${name}:v1`);
    await registry.requests();
    await crane.do('copy', `${name}:v1`, `${registry.host}/crane/two:v1`);
    const copied = await registry.requests();
    expect(count(copied, 'POST mount', 201)).toBeGreaterThanOrEqual(3);
    expect(count(copied, 'PATCH upload', 202)).toBe(0);
    // What it pushed as one entry of a layout is listed by one more index.
    const [listed] = (
      JSON.parse(await crane.do('manifest', `${registry.host}/crane/two:v1`)) as {
        manifests: [{ digest: string }];
      }
    ).manifests;
    expect(listed.digest).toBe(image.digest);
    await crane.do('pull', '--format', 'oci', `${registry.host}/crane/two@${image.digest}`, 'out');
    expect(blobsOf(join(crane.folder, 'out'))).toEqual(blobsOf(image.folder));
    await crane.do('validate', '--remote', `${registry.host}/crane/two:v1`);

    const content = randomBytes(200_000);
    writeFileSync(join(crane.folder, 'layer.tar'), tarOf('content', content));
    await crane.do('append', '--oci-empty-base', '-f', 'layer.tar', '-t', `${name}:appended`);
    await crane.do('tag', `${name}:appended`, 'tagged');
    expect((await crane.do('ls', name)).split('\n')).toEqual(['appended', 'tagged', 'v1']);
    expect((await crane.do('catalog', registry.host)).split('\n')).toEqual(['crane/one', 'crane/two']);
    await crane.do('export', `${name}:tagged`, 'flat.tar');
    await check('tar', ['-xf', 'flat.tar'], { cwd: crane.folder });
    expect(readFileSync(join(crane.folder, 'content'))).toEqual(content);
    const digest = await crane.do('digest', `${name}:appended`);
    await crane.do('delete', `${name}@${digest}`);
    expect((await crane.try(['digest', `${name}:tagged`])).stderr).toMatch(/404|MANIFEST_UNKNOWN/i);
  },
);

test.skipIf(regctlProgram.missing)(
  'regctl copies from and to a layout, attaches an artifact and finds it, copies with referrers by mount, hashes by sha512, deletes',
  async () => {
    const regctl = new Client(regctlProgram, registry.folder);
    const name = `${registry.host}/regctl/one`;
    await regctl.do('registry', 'set', registry.host, '--tls', 'disabled', '--skip-check');
    await regctl.do('registry', 'login', registry.host, '-u', 'AWS', '-p', registry.password);
    await regctl.do('image', 'copy', `ocidir://${image.folder}:latest`, `${name}:v1`);
    expect(await regctl.do('image', 'digest', `${name}:v1`)).toBe(image.digest);
    const note = randomBytes(100_000);
    writeFileSync(join(regctl.folder, 'note'), note);
    const type = 'application/vnd.example.note';
    await regctl.do(
      'artifact',
      'put',
      '--artifact-type',
      type,
      '--subject',
      `${name}:v1`,
      '--file-title',
      '-f',
      'note',
    );
    expect(await regctl.do('artifact', 'list', '--filter-artifact-type', type, `${name}:v1`)).toContain(type);
    expect(await regctl.do('artifact', 'list', '--filter-artifact-type', 'a/b', `${name}:v1`)).not.toContain(type);

    await registry.requests();
    await regctl.do('image', 'copy', '--referrers', `${name}:v1`, `${registry.host}/regctl/two:v1`);
    const copied = await registry.requests();
    expect(count(copied, 'POST mount', 201)).toBe(6 + 1);
    expect(count(copied, 'PUT upload', 201)).toBe(0);
    expect(await regctl.do('artifact', 'tree', `${registry.host}/regctl/two:v1`)).toContain(type);
    mkdirSync(join(regctl.folder, 'got'));
    await regctl.do('artifact', 'get', '--subject', `${registry.host}/regctl/two:v1`, '-o', 'got');
    expect(readFileSync(join(regctl.folder, 'got', 'note'))).toEqual(note);
    await regctl.do('image', 'copy', `${registry.host}/regctl/two:v1`, `ocidir://${regctl.folder}/out:latest`);
    expect(blobsOf(join(regctl.folder, 'out'))).toEqual(blobsOf(image.folder));

    await regctl.do('image', 'mod', `${name}:v1`, '--digest-algo', 'sha512', '--create', `${name}:sha512`);
    expect(await regctl.do('image', 'digest', `${name}:sha512`)).toMatch(/^sha512:[0-9a-f]{128}$/);
    await regctl.do('image', 'export', `${name}:sha512`, 'sha512.tar');

    await regctl.do('index', 'create', `${name}:assembled`, '--ref', `${name}@${image.manifests['arm64'] ?? ''}`);
    expect((await regctl.do('tag', 'ls', name)).split('\n')).toEqual(['assembled', 'sha512', 'v1']);
    expect(await regctl.do('repo', 'ls', registry.host)).toContain('regctl/two');
    await regctl.do('tag', 'delete', `${name}:assembled`);
    await regctl.do('manifest', 'delete', '--force-tag-dereference', `${name}:v1`);
    expect(await regctl.do('tag', 'ls', name)).toBe('sha512');
  },
);
