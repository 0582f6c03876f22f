import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { run, until } from '../testbed/index.ts';
import type { Target } from './load.ts';
import { startTokenServer } from './token-server.ts';

/** The version that results are compared with. */
export const distributionVersion = 'v3.1.1';

/** The peer: CNCF distribution on the file system, with its descriptor cache and token authentication on. */
export interface Distribution {
  readonly target: Target;
  readonly version: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Where the `registry` program is: in PATH or Go's bin folder; built by `go install` when only Go is there. @returns undefined with neither */
export async function findDistribution(): Promise<string | undefined> {
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    process.env['GOBIN'] ?? join(process.env['GOPATH'] ?? join(homedir(), 'go'), 'bin'),
  ];
  const found = (): string | undefined =>
    folders.map((folder) => join(folder, 'registry')).find((path) => existsSync(path));
  if (found() === undefined) {
    await run('go', ['install', `github.com/distribution/distribution/v3/cmd/registry@${distributionVersion}`], {
      timeout: 1_200_000,
    }).catch(() => undefined);
  }
  return found();
}

/** Starts it on a free port with its data below `folder`; `repository` is the one the token opens. */
export async function startDistribution(program: string, folder: string, repository: string): Promise<Distribution> {
  mkdirSync(folder, { recursive: true });
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwks = join(folder, 'jwks.json');
  writeFileSync(
    jwks,
    JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'bench', alg: 'ES256', use: 'sig' }] }),
  );
  const tokens = await startTokenServer();
  const port = await freePort();
  const config = join(folder, 'config.yml');
  writeFileSync(
    config,
    JSON.stringify({
      version: '0.1',
      log: { level: 'error', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: join(folder, 'data') },
        delete: { enabled: true },
        cache: { blobdescriptor: 'inmemory' },
      },
      http: { addr: `127.0.0.1:${port}` },
      auth: {
        token: {
          realm: tokens.realm,
          service: 'bench',
          issuer: 'bench',
          jwks,
          signingalgorithms: ['ES256'],
        },
      },
    }),
  );
  const child: ChildProcess = spawn(program, ['serve', config], {
    stdio: 'ignore',
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  });
  const token = await new SignJWT({ access: [{ type: 'repository', name: repository, actions: ['pull', 'push'] }] })
    .setProtectedHeader({ alg: 'ES256', kid: 'bench', typ: 'JWT' })
    .setIssuer('bench')
    .setAudience('bench')
    .setSubject('bench')
    .setIssuedAt()
    .setNotBefore('-1 minute')
    .setExpirationTime('4 hours')
    .setJti('bench')
    .sign(privateKey);
  tokens.token = token;
  const target = { origin: `http://127.0.0.1:${port}`, headers: { authorization: `Bearer ${token}` } };
  await until(
    'distribution to answer',
    20_000,
    async () => (await fetch(`${target.origin}/v2/`, { headers: target.headers })).ok,
    50,
  );
  const version = (await run(program, ['--version'])).stdout.trim().split(' ').at(-1) ?? distributionVersion;
  return {
    target,
    version,
    pid: child.pid ?? 0,
    stop: () =>
      new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) return resolve();
        child.once('exit', () => resolve());
        tokens.close();
        child.kill('SIGTERM');
      }),
  };
}
