import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { anonymousName, knownName } from '@slipway/auth/audit';
import { freePort } from '@slipway/storage/testing';
import { AwsCli } from '../aws-cli.ts';
import { check } from '../command.ts';
import { ServerProcess } from '../server-process.ts';

/** One request as the audit files tell of it. */
export interface AuditedRequest {
  readonly time: string;
  readonly requestId: string;
  readonly operation: string;
  readonly status: number;
  readonly userAgent: string;
  readonly [member: string]: unknown;
}

export interface ClientRegistry extends AsyncDisposable {
  /** Host and port, as image references name it. */
  readonly host: string;
  /** What `docker login` takes for the user AWS. */
  readonly password: string;
  /** The certificate authority to trust, of a server on TLS. */
  readonly authority: string;
  /** The AWS CLI with the administrator's key. */
  readonly aws: AwsCli;
  /** A folder for the clients, gone with the server. */
  readonly folder: string;
  /** Requests that were answered since the last call. Waits until the audit file rests. */
  requests(): Promise<readonly AuditedRequest[]>;
}

/** `slipway serve` with two workers on loopback, for clients that may create repositories by pushing. */
export async function startClientRegistry(options: { readonly tls?: boolean } = {}): Promise<ClientRegistry> {
  await using opened = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'slipway-clients-'));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  const data = join(folder, 'data');
  const tls = join(data, 'tls');
  if (options.tls)
    await check(process.execPath, [
      join(import.meta.dirname, '..', '..', 'cli', 'main.ts'),
      'tls',
      'init',
      '--data',
      data,
    ]);
  const server = new ServerProcess(await freePort(), data, {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_WORKERS: '2',
    ...(options.tls
      ? { SLIPWAY_TLS_CERTIFICATE: join(tls, 'server.crt'), SLIPWAY_TLS_KEY: join(tls, 'server.key') }
      : {}),
  });
  await server.start();
  opened.defer(async () => {
    const code = await server.stop();
    const failures = server.log.split('\n').filter((line) => /"level":[56]0/.test(line));
    if (code !== 0 || failures.length > 0) throw new Error(`the server ended with ${code}:\n${failures.join('\n')}`);
  });
  const authority = join(tls, 'ca.crt');
  const aws = new AwsCli({ ...server.aws(), ...(options.tls ? { AWS_CA_BUNDLE: authority } : {}) });
  const login = await aws.run(['ecr', 'get-login-password']);
  if (login.code !== 0) throw new Error(login.stderr);
  const audits = [knownName, anonymousName].map((name) => join(data, 'audit', name));
  const seen = new Set<string>();
  const closing = opened.move();
  return {
    host: server.registry,
    password: login.stdout.trim(),
    authority,
    aws,
    folder,
    async requests() {
      await Promise.all(audits.map(rest));
      const lines = audits.flatMap((audit) =>
        existsSync(audit) ? readFileSync(audit, 'utf8').trimEnd().split('\n') : [],
      );
      const fresh = lines
        .map((line) => JSON.parse(line) as AuditedRequest)
        .filter(({ requestId }) => !seen.has(requestId));
      for (const { requestId } of fresh) seen.add(requestId);
      return fresh.sort((a, b) => a.time.localeCompare(b.time));
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

/** Waits until a file has not grown, or come, for longer than the server keeps lines back. */
async function rest(path: string): Promise<void> {
  const length = (): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  for (let size = -1; size !== length();) {
    size = length();
    await setTimeout(400);
  }
}

/** How many of `requests` were this operation with this answer. */
export function count(requests: readonly AuditedRequest[], operation: string, status: number): number {
  return requests.filter((request) => request.operation === operation && request.status === status).length;
}
