import { createHash, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as efs from '@aws-sdk/client-efs';
import { Registry } from '@prometheus-io/client';
import { LocalRates } from '@slipway/auth/rates';
import { systemClock } from '@slipway/storage/clock';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../server/config.ts';
import { type Installation, startInstallation } from '../server/installation.ts';

/**
 * S10: every operation of a whole installation, enumerated from the running gateway, called with signatures that are not
 * its caller's, in every payload mode that any AWS service knows. The requests are signed here, with nothing of ours.
 */
const jsonTargets: Readonly<Record<string, string>> = {
  acm: 'CertificateManager',
  'application-autoscaling': 'AnyScaleFrontendService',
  codedeploy: 'CodeDeploy_20141006',
  ecs: 'AmazonEC2ContainerServiceV20141113',
  ecr: 'AmazonEC2ContainerRegistry_V20150921',
  'ecr-public': 'SpencerFrontendService',
  kms: 'TrentService',
  logs: 'Logs_20140328',
  secretsmanager: 'secretsmanager',
  ssm: 'AmazonSSM',
};
const queryVersions: Readonly<Record<string, string>> = {
  autoscaling: '2011-01-01',
  ec2: '2016-11-15',
  elasticloadbalancing: '2015-12-01',
  iam: '2010-05-08',
  monitoring: '2010-08-01',
  sts: '2011-06-15',
};
/** The modules whose schemas say where operations of services lie that have paths. */
const restModules: Readonly<Record<string, Readonly<Record<string, unknown>>>> = { elasticfilesystem: { ...efs } };
const unsignedModes = [
  'UNSIGNED-PAYLOAD',
  'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
  'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
  'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD',
  'STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER',
  'STREAMING-AWS4-HMAC-SHA256-EVENTS',
  'unsigned-payload',
] as const;
/** The honest hash, with and without a header that says it. */
const signedModes = ['hash', 'no header'] as const;

type Route = Installation['routes'][number];
type Mode = (typeof unsignedModes)[number] | (typeof signedModes)[number];
/** Whose signature a request bears. */
type Signer = 'caller' | 'guessed secret' | 'made up' | 'another request';

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Method and path of an operation, with any label filled in. */
function placeOf(service: string, operation: string): readonly [method: string, path: string] {
  const schema = restModules[service]?.[`${operation}$`] as readonly unknown[] | undefined;
  const { http } = (schema?.[3] ?? { http: ['POST', '/'] }) as { http: readonly [string, string] };
  return [http[0], http[1].replace(/\{\w+\}/g, 'x').replace(/\?.*$/, '')];
}

describe('S10: fabricated signatures', () => {
  const data = mkdtempSync(join(tmpdir(), 'slipway-signatures-'));
  let installation: Installation;
  let key: { readonly accessKeyId: string; readonly secretAccessKey: string };
  beforeAll(async () => {
    const config = readConfig({ SLIPWAY_DATA: data, SLIPWAY_PORT: '0', SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
    installation = await startInstallation(config, pino({ level: 'silent' }), {
      port: 0,
      metrics: new Registry(),
      // So many failures would be throttled, and here each must be refused for what it is.
      rates: new LocalRates({}, systemClock),
    });
    key = installation.administrator as typeof key;
  });
  afterAll(async () => {
    await installation.close();
    rmSync(data, { recursive: true, force: true });
  });

  async function call({ service, operation, apiVersion }: Route, signer: Signer, mode: Mode): Promise<string> {
    const version = apiVersion ?? queryVersions[service];
    const [method, home] = placeOf(service, operation);
    const body = method === 'GET' ? '' : version === undefined ? '{}' : `Action=${operation}&Version=${version}`;
    const payload = mode === 'hash' || mode === 'no header' ? sha256(body) : mode;
    const date = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
    const headers: Record<string, string> = {
      'content-type': version === undefined ? 'application/x-amz-json-1.1' : 'application/x-www-form-urlencoded',
      host: new URL(installation.listening.url).host,
      ...(mode === 'no header' ? {} : { 'x-amz-content-sha256': payload }),
      'x-amz-date': date,
      ...(service in jsonTargets ? { 'x-amz-target': `${jsonTargets[service]}.${operation}` } : {}),
    };
    const names = Object.keys(headers);
    const lines = names.map((name) => `${name}:${headers[name]}\n`).join('');
    const path = signer === 'another request' ? `${home}other` : home;
    const canonical = `${method}\n${path}\n\n${lines}\n${names.join(';')}\n${payload}`;
    const scope = [date.slice(0, 8), 'us-east-1', service, 'aws4_request'];
    const secret = signer === 'guessed secret' ? 'guessed' : key.secretAccessKey;
    let derived: Buffer | string = `AWS4${secret}`;
    for (const part of scope) derived = createHmac('sha256', derived).update(part).digest();
    const toSign = `AWS4-HMAC-SHA256\n${date}\n${scope.join('/')}\n${sha256(canonical)}`;
    const signature =
      signer === 'made up' ? sha256(toSign) : createHmac('sha256', derived).update(toSign).digest('hex');
    const credential = `${key.accessKeyId}/${scope.join('/')}`;
    headers.authorization = `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
    delete headers.host;
    const response = await fetch(new URL(home, installation.listening.url), {
      method,
      headers,
      ...(body === '' ? {} : { body }),
    });
    const text = await response.text();
    const code = /"__type":"([\w.#]+)"|<Code>(\w+)<\/Code>/.exec(text);
    return `${response.status} ${response.headers.get('x-amzn-errortype') ?? code?.[1] ?? code?.[2] ?? ''}`;
  }

  const refusal = ({ service }: Route): string => {
    if (service in restModules) return '403 InvalidSignatureException';
    return queryVersions[service] === undefined ? '400 InvalidSignatureException' : '403 SignatureDoesNotMatch';
  };
  const operations = (): readonly Route[] => installation.routes.filter(({ kind }) => kind === 'aws');

  test('the requests of this test are understood when they are honest', async () => {
    for (const service of [jsonTargets, queryVersions, restModules].flatMap((table) => Object.keys(table))) {
      const route = operations().find(
        (each) => each.service === service && /^(Get|List|Describe)/.test(each.operation),
      );
      expect(route, service).toBeDefined();
      for (const mode of signedModes)
        expect([service, mode, await call(route as Route, 'caller', mode)]).not.toContain(refusal(route as Route));
    }
    expect(await call({ service: 'sts', operation: 'GetCallerIdentity' } as Route, 'caller', 'hash')).toBe('200 ');
  });

  test.each(['guessed secret', 'made up', 'another request'] as const)(
    '%s: refused by every operation in every mode',
    async (signer) => {
      const accepted: string[] = [];
      for (const route of operations()) {
        const answers = [...signedModes, ...unsignedModes].map(
          async (mode) => [mode, await call(route, signer, mode)] as const,
        );
        for (const [mode, answer] of await Promise.all(answers))
          if (answer !== refusal(route)) accepted.push(`${route.service}:${route.operation} ${mode}: ${answer}`);
      }
      expect(operations().length).toBeGreaterThan(150);
      expect(accepted).toEqual([]);
    },
  );

  test("S9: the caller's own signature over no payload is refused by every operation", async () => {
    const accepted: string[] = [];
    for (const route of operations()) {
      const answers = unsignedModes.map(async (mode) => [mode, await call(route, 'caller', mode)] as const);
      for (const [mode, answer] of await Promise.all(answers))
        if (answer !== refusal(route)) accepted.push(`${route.service}:${route.operation} ${mode}: ${answer}`);
    }
    expect(accepted).toEqual([]);
  });
});
