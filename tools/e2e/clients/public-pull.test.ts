import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client, ownStorage } from '../../testbed/clients/client.ts';
import { makeSampleImage } from '../../testbed/clients/oci-layout.ts';
import { builtClient, type ClientProgram, installedClient, newerClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, count, startClientRegistry } from '../../testbed/clients/registry.ts';
import { check } from '../../testbed/command.ts';
import { DockerCli, missingDocker } from '../../testbed/docker.ts';

const noEngine = await missingDocker();
const skopeos = [installedClient('skopeo'), await newerClient('skopeo')];
const podmans = [installedClient('podman'), await newerClient('podman')];
const crane = await builtClient('crane');
const regctl = await builtClient('regctl');
const oras = await newerClient('oras');

let registry: ClientRegistry;

beforeAll(async () => {
  registry = await startClientRegistry();
  const [skopeo] = skopeos;
  if (skopeo === undefined || skopeo.missing !== undefined) return;
  const pusher = new Client(skopeo, join(registry.folder, 'pusher'), ['--insecure-policy']);
  const { folder } = makeSampleImage(join(pusher.folder, 'sample'));
  await pusher.do('login', '--tls-verify=false', '--username', 'AWS', '--password', registry.password, registry.host);
  // Everybody may pull from a public repository, and nobody without a login from another.
  await registry.aws.json(['ecr-public', 'create-repository', '--repository-name', 'open']);
  await registry.aws.json(['ecr', 'create-repository', '--repository-name', 'shut']);
  for (const name of ['open', 'shut']) {
    const at = `docker://${registry.host}/${name}:v1`;
    await pusher.do('copy', '--all', '--dest-tls-verify=false', `oci:${folder}:latest`, at);
  }
});
afterAll(async () => registry[Symbol.asyncDispose]());

/** A client that never logged in, in a folder of its own, and what makes it pull an image. */
interface Stranger {
  readonly title: string;
  readonly program: ClientProgram;
  readonly before?: (home: string) => readonly string[];
  readonly pull: (image: string) => readonly string[];
}

const plain = '--tls-verify=false';
const strangers: readonly Stranger[] = [
  ...skopeos.map((program, age) => ({
    title: `skopeo ${age === 0 ? 'installed' : 'newer'}`,
    program,
    before: () => ['--insecure-policy'],
    pull: (image: string) => ['copy', '--all', `--src-tls-verify=false`, `docker://${image}`, 'dir:out'],
  })),
  ...podmans.map((program, age) => ({
    title: `podman ${age === 0 ? 'installed' : 'newer'}`,
    program,
    before: (home: string) => ownStorage(home),
    pull: (image: string) => ['pull', plain, image],
  })),
  { title: 'crane', program: crane, pull: (image) => ['pull', '--insecure', image, 'out.tar'] },
  { title: 'regctl', program: regctl, pull: (image) => ['image', 'export', image, 'out.tar'] },
  { title: 'oras', program: oras, pull: (image) => ['copy', '--from-plain-http', '--to-oci-layout', image, 'out:v1'] },
];

test.each(strangers.filter(({ program }) => program.missing === undefined))(
  '$title pulls from a public repository without a login, and nothing else',
  async ({ title, program, before, pull }) => {
    // Podman takes no long paths.
    const home = mkdtempSync(join(registry.folder, 'c-'));
    const client = new Client(program, home, before?.(home) ?? []);
    writeFileSync(join(client.folder, 'auth.json'), '{}');
    if (title === 'regctl') await client.do('registry', 'set', '--skip-check', '--tls', 'disabled', registry.host);
    await registry.requests();
    await client.do(...pull(`${registry.host}/open:v1`));
    const requests = await registry.requests();
    expect(count(requests, 'GET blob', 200)).toBeGreaterThan(0);
    const refused = await client.try(pull(`${registry.host}/shut:v1`));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/unauthorized|authentication required|401/i);
    expect(count(await registry.requests(), 'GET blob', 200)).toBe(0);
  },
);

test.skipIf(noEngine)(
  'the docker engine pulls from a public repository without a login; a login is asked for and taken for the rest',
  async () => {
    const docker = new DockerCli();
    try {
      const [open, shut] = [`${registry.host}/open:v1`, `${registry.host}/shut:v1`];
      await docker.check(['pull', open]);
      expect((await docker.run(['pull', shut])).stderr).toMatch(/unauthorized|authentication required|denied/i);
      await docker.check(['login', '--username', 'AWS', '--password-stdin', registry.host], registry.password);
      await docker.check(['pull', shut]);
      await docker.check(['push', shut]);
      // What does not ask first and sends Basic at once, as scripts do, is let in all the same.
      const user = `AWS:${registry.password}`;
      const url = `http://${registry.host}/v2/shut/manifests/v1`;
      expect(await check('curl', ['-sf', '-o', '/dev/null', '-w', '%{http_code}', '-u', user, url])).toBe('200');
      await docker.run(['rmi', open, shut]);
    } finally {
      docker.dispose();
    }
  },
);
