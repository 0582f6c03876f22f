import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Client } from '../../testbed/clients/client.ts';
import { tarOf } from '../../testbed/clients/oci-layout.ts';
import { installedClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, count, startClientRegistry } from '../../testbed/clients/registry.ts';
import { missingDocker } from '../../testbed/docker.ts';

/** The docker command line and engine of this machine, whose images lie in a graph driver's store. */
const program = installedClient('docker');
const missing = program.missing ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

let registry: ClientRegistry;
beforeAll(async () => void (registry = await startClientRegistry()));
afterAll(async () => registry[Symbol.asyncDispose]());

test.skipIf(missing)(
  'docker logs in, pushes, pushes elsewhere by mount, pulls the same image by tag and by digest, joins images in a list',
  async () => {
    const docker = new Client(program, registry.folder);
    const [one, two, list] = ['one:v1', 'two:v1', 'one:list'].map((name) => `${registry.host}/graph/${name}`) as [
      string,
      string,
      string,
    ];
    // An image of one file, made here: nothing can be pulled from elsewhere.
    writeFileSync(join(docker.folder, 'layer.tar'), tarOf('content', randomBytes(300_000)));
    try {
      await docker.do('import', 'layer.tar', one);
      await docker.do('tag', one, two);
      expect((await docker.try(['push', one])).stderr).toMatch(/no basic auth|unauthorized|authentication required/i);
      const login = ['login', '--username', 'AWS', '--password-stdin', registry.host];
      expect((await docker.try(login, { input: registry.password })).stdout).toContain('Login Succeeded');
      const digest = /digest: (sha256:[0-9a-f]{64})/.exec(await docker.do('push', one))?.[1] ?? '';
      expect(await docker.do('push', one)).toContain('Layer already exists');
      await registry.requests();
      expect(await docker.do('push', two)).toContain(`Mounted from graph/one`);
      expect(count(await registry.requests(), 'POST mount', 201)).toBe(1);
      const id = await docker.do('image', 'inspect', '--format', '{{.Id}}', one);
      await docker.do('image', 'rm', '--force', one, two);
      expect(await docker.do('pull', two)).toContain(digest);
      await docker.do('image', 'rm', '--force', two);
      await docker.do('pull', `${registry.host}/graph/one@${digest}`);
      expect(await docker.do('image', 'inspect', '--format', '{{.Id}}', `${registry.host}/graph/one@${digest}`)).toBe(
        id,
      );
      await docker.do('manifest', 'create', '--insecure', list, one);
      await docker.do('manifest', 'push', '--insecure', list);
      expect(await docker.do('manifest', 'inspect', '--insecure', list)).toContain(digest);
    } finally {
      const names = (await docker.do('images', '--quiet', '--filter', `reference=${registry.host}/*/*`)).split('\n');
      await docker.try(['image', 'rm', '--force', ...names]);
    }
  },
  600_000,
);
