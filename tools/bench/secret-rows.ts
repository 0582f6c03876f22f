import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import { AuditFile } from '@slipway/auth/audit';
import type { Principal } from '@slipway/auth/contract';
import { createGateway } from '@slipway/auth/gateway';
import { unwatched } from '@slipway/auth/gateway/testing';
import { type FirstAdministrator, openIdentity } from '@slipway/auth/identity';
import { TokenService } from '@slipway/auth/tokens';
import { Keys } from '@slipway/scheduler/settings/keys';
import { Parameters } from '@slipway/scheduler/settings/parameters';
import { createSecretsManager, Secrets } from '@slipway/scheduler/settings/secrets';
import { createTaskSecrets } from '@slipway/scheduler/settings/tasks';
import { systemClock as clock } from '@slipway/storage/clock';
import { openSqliteRecords } from '@slipway/storage/records';
import aws4 from 'aws4';
import { replay } from './replaying.ts';
import { median, quantile, type Row, short } from './results.ts';

const account = '000000000000';
const region = 'us-east-1';
/** Values of a task: half of them secrets, half secure strings. */
const values = 20;

/** What `createTaskSecrets` is asked for. */
interface Need {
  readonly container: string;
  readonly kind: 'environment';
  readonly name: string;
  readonly valueFrom: string;
}
/** How much is measured. */
export interface SecretSizes {
  readonly requests: number;
  readonly starts: number;
  readonly rounds: number;
}

/** Values of secrets read a second over the API, and what the secrets and parameters of a task add to its start. */
export async function secretRows({ requests, starts, rounds }: SecretSizes): Promise<Row[]> {
  await using opened = new AsyncDisposableStack();
  const folder = opened.adopt(mkdtempSync(join(tmpdir(), 'slipway-bench-secrets-')), (it) =>
    rmSync(it, { recursive: true }),
  );
  const records = opened.adopt(await openSqliteRecords({ file: join(folder, 'records.sqlite') }, clock), (it) =>
    it.close(),
  );
  const random = (size: number): Buffer => randomBytes(size);
  const identity = opened.adopt(
    openIdentity({ records, clock, random, encryptionKey: randomBytes(32), region }),
    (it) => it.close(),
  );
  const admin = (await identity.bootstrap(account)) as FirstAdministrator;
  const principal: Principal = {
    type: 'root',
    account,
    arn: `arn:aws:iam::${account}:root`,
    id: account,
  };
  const { authorizer, sealer } = identity;
  const base = { records, clock, random, region, sealer };
  const keys = new Keys(base);
  const secrets = new Secrets({ ...base, keys });
  const parameters = new Parameters({ ...base, keys });
  const key = await keys.create(account, { description: '', tags: {} });

  const needs: Need[] = [];
  for (let index = 0; index < values; index++) {
    const name = `bench/${index}`;
    const text = JSON.stringify({ username: 'ada', password: randomBytes(24).toString('base64') });
    let valueFrom = `/${name}`;
    if (index % 2 === 0) {
      const made = { name, tags: {}, kmsKey: key.id };
      const version = { id: randomBytes(16).toString('hex'), value: { kind: 'string' as const, text } };
      valueFrom = secrets.arn(account, await secrets.create(account, made, version));
    } else {
      await parameters.put(account, valueFrom, text, () => ({
        tags: {},
        version: { type: 'SecureString', tier: 'Standard', keyId: key.id, modifiedBy: principal.arn },
      }));
    }
    needs.push({ container: 'web', kind: 'environment', name: `VALUE_${index}`, valueFrom });
  }

  /** Microseconds of processor time a request, and requests a second. */
  async function reading(): Promise<{ readonly cost: number; readonly rate: number }> {
    const gateway = createGateway({
      ...unwatched(region),
      services: [
        createSecretsManager({
          ...base,
          secrets,
          authorizer,
          principals: { bind: (text) => Promise.resolve(text), show: (text) => Promise.resolve(text) },
          rotation: {
            access: () => Promise.resolve([]),
            check: () => Promise.reject(new Error('nothing rotates here')),
          },
        }),
      ],
      credentials: identity.credentials,
      standing: identity.standing,
      authorizer,
      tokens: new TokenService({ records, clock, sealer, issuer: 'slipway:bench', region }),
      clock,
      log: { info: () => undefined, warn: () => undefined, error: () => undefined },
      audit: opened.adopt(new AuditFile({ path: join(folder, 'audit.jsonl') }), (it) => it.close()),
      metrics: new Registry(),
      region,
      account,
    });
    opened.defer(() => gateway.close(0));
    const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
    const body = JSON.stringify({ SecretId: 'bench/0' });
    const headers = {
      Host: `127.0.0.1:${port}`,
      'X-Amz-Target': 'secretsmanager.GetSecretValue',
      'Content-Type': 'application/x-amz-json-1.1',
      'Content-Length': String(body.length),
    };
    const signed = aws4.sign({ method: 'POST', path: '/', service: 'secretsmanager', region, headers, body }, admin);
    const lines = Object.entries(signed.headers ?? {}).map(([name, value]) => `${name}: ${String(value)}`);
    const request = Buffer.from(`POST / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`);
    await replay(port, request, requests / 4);
    const costs: number[] = [];
    const rates: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const [before, begun] = [process.cpuUsage(), performance.now()];
      await replay(port, request, requests);
      const { user, system } = process.cpuUsage(before);
      costs.push((user + system) / requests);
      rates.push((requests / (performance.now() - begun)) * 1000);
    }
    return { cost: median(costs), rate: median(rates) };
  }

  /** Milliseconds that the values of a task take, each time anew, and of processor time. */
  async function starting(): Promise<{ readonly p50: number; readonly p99: number; readonly cpu: number }> {
    const files = (): Promise<string> => Promise.reject(new Error('there are no files'));
    const read = createTaskSecrets({ clock, random, region, secrets, parameters, authorizer, files });
    for (let index = 0; index < starts / 10; index++) await read(principal, needs);
    const times: number[] = [];
    const before = process.cpuUsage();
    for (let index = 0; index < starts; index++) {
      const begun = performance.now();
      await read(principal, needs);
      times.push(performance.now() - begun);
    }
    const { user, system } = process.cpuUsage(before);
    return { p50: median(times), p99: quantile(times, 0.99), cpu: (user + system) / 1000 / starts };
  }

  const [reads, start] = [await reading(), await starting()];
  const row = (what: string, ours: string, goal = ''): Row => ({ what, ours, peer: '', ratio: '', goal });
  return [
    row('GetSecretValue', `${short(reads.rate)}/s`),
    row('processor time of a GetSecretValue', `${short(reads.cost)} µs`),
    row(
      `${values} values read at the start of a task`,
      `p50 ${short(start.p50)} ms, p99 ${short(start.p99)} ms`,
      'under 50 ms',
    ),
    row('processor time of that', `${short(start.cpu)} ms`),
  ];
}
