import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DockerCli, missingDocker, type ServerProcess } from '../testbed/index.ts';
import type { Comparison } from './comparison.ts';
import type { Distribution } from './distribution.ts';
import { passwordOf } from './registry-target.ts';

const layers = 8;
const layerBytes = 4 << 20;

/** Whole images by the docker command line, new random layers in every push. @returns notes for the reader */
export async function measureDocker(
  comparison: Comparison,
  server: ServerProcess,
  peer: Distribution | undefined,
  repository: string,
  quick: boolean,
): Promise<readonly string[]> {
  const missing = await missingDocker();
  if (missing !== undefined) return [`docker push and pull were not measured: ${missing}.`];
  const docker = new DockerCli();
  const made = new Set<string>();
  try {
    const hosts = [server.registry, ...(peer === undefined ? [] : [peer.target.origin.replace('http://', '')])];
    await docker.check(['login', '-u', 'AWS', '--password-stdin', server.registry], await passwordOf(server));
    if (hosts[1] !== undefined) await docker.check(['login', '-u', 'bench', '-p', 'bench', hosts[1]]);
    const rounds = quick ? 1 : 5;
    const reference = (host: string): string => `${host}/${repository}:docker`;
    for (const host of hosts) made.add(reference(host));
    const timed = async (args: readonly string[]): Promise<{ readonly value: number }> => {
      const started = performance.now();
      await docker.check(args);
      return { value: performance.now() - started };
    };
    const what = `of ${layers} layers of ${layerBytes >> 20} MiB by the docker CLI`;
    const lower = { rounds, lessIsBetter: true };
    await comparison.compare(
      `push ${what}`,
      'ms',
      'at least 1x',
      hosts,
      async (host) => {
        await build(docker, reference(host));
        return timed(['push', '-q', reference(host)]);
      },
      lower,
    );
    await comparison.compare(
      `pull ${what}`,
      'ms',
      'at least 1x',
      hosts,
      async (host) => {
        await docker.run(['rmi', '-f', reference(host)]);
        return timed(['pull', '-q', reference(host)]);
      },
      lower,
    );
    return [];
  } finally {
    for (const reference of made) await docker.run(['rmi', '-f', reference]);
    docker.dispose();
  }
}

async function build(docker: DockerCli, reference: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-layers-'));
  try {
    const names = Array.from({ length: layers }, (_, index) => `layer-${index}`);
    for (const name of names) writeFileSync(join(folder, name), randomBytes(layerBytes));
    writeFileSync(join(folder, 'Dockerfile'), ['FROM scratch', ...names.map((name) => `COPY ${name} /`)].join('\n'));
    await docker.check(['build', '-q', '-t', reference, folder]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
