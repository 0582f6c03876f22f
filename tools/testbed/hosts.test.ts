import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { check, run } from './command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from './docker.ts';
import { missingHosts, startHosts } from './hosts.ts';

const missing = missingHosts() ?? (await missingDocker());
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

test.skipIf(missing)(
  'hosts have engines of their own and reach each other; nothing of them is left',
  async () => {
    const made = await startHosts(2);
    const [one, two] = made.hosts;
    if (one === undefined || two === undefined) throw new Error('there are no hosts');
    try {
      const docker = new DockerCli();
      const reference = `slipway-hosts-test-${process.pid}:web`;
      await makeImage(docker, webImage(reference, 'from host one'));
      const archive = `${one.dockerHost.replace('unix://', '')}.tar`;
      await docker.check(['save', '--output', archive, reference]);
      await docker.check(['rmi', reference]);
      docker.dispose();
      await one.docker('load', '--input', archive);
      await one.docker('run', '--detach', '--publish', '8080:8080', reference);
      expect(await two.docker('images', '--quiet')).toBe('');
      const page = (host: { run: typeof one.run }) =>
        host.run('curl', ['--silent', '--retry', '20', '--retry-connrefused', `http://${one.address}:8080/`]);
      expect((await page(two)).stdout).toBe('from host one');
      expect((await run('curl', ['--silent', `http://${one.address}:8080/`])).stdout).toBe('from host one');
      // The port is the host's, not this machine's.
      expect((await run('curl', ['--silent', 'http://127.0.0.1:8080/'])).stdout).not.toBe('from host one');
    } finally {
      await made[Symbol.asyncDispose]();
    }
    // Of its own only: other tests make and remove links meanwhile.
    expect(await check('ip', ['-br', 'link'])).not.toMatch(new RegExp(`^sw${process.pid}\\b`, 'm'));
    expect(existsSync(one.dockerHost.replace('unix://', ''))).toBe(false);
    expect((await run('ip', ['netns', 'list'])).stdout).not.toContain(one.name);
  },
  180_000,
);
