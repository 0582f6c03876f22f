import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { run } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** Refusals as people meet them: the AWS command line's exit code and sentence, `curl`'s status and body, one line from our own command. */
const aws = await run('aws', ['--version']).catch(() => undefined);
if (aws === undefined && process.env['CI'] !== undefined) throw new Error('the AWS command line is missing');

describe.skipIf(aws === undefined)('bad input is refused in the words of the protocol', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-bad-'));
  let server: ServerProcess;
  let cli: AwsCli;

  beforeAll(async () => {
    server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
    await server.start();
    cli = new AwsCli(server.aws());
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    [
      'an unknown repository',
      ['ecr', 'list-images', '--repository-name', 'nothing'],
      /\(RepositoryNotFoundException\).*'nothing' does not exist in the registry with id '000000000000'/,
    ],
    [
      'a repository name with capitals',
      ['ecr', 'create-repository', '--repository-name', 'Web'],
      /\(InvalidParameterException\).*repositoryName/,
    ],
    [
      'an unknown cluster',
      ['ecs', 'list-services', '--cluster', 'nothing'],
      /\(ClusterNotFoundException\).*Cluster not found/,
    ],
    ['an unknown service', ['ecs', 'update-service', '--service', 'nothing'], /\(ServiceNotFoundException\)/],
    [
      'an unknown task definition',
      ['ecs', 'describe-task-definition', '--task-definition', 'nothing'],
      /\(ClientException\).*Unable to describe task definition/,
    ],
    [
      'a task definition without containers',
      ['ecs', 'register-task-definition', '--family', 'x', '--container-definitions', '[]'],
      /\(ClientException\).*container/i,
    ],
    [
      'a task definition without memory',
      ['ecs', 'register-task-definition', '--family', 'x', '--container-definitions', '[{"name":"a","image":"b"}]'],
      /\(ClientException\).*memory/i,
    ],
    [
      'a service of an unknown task definition',
      ['ecs', 'create-service', '--service-name', 'a', '--task-definition', 'nothing'],
      /\(ClientException\)|\(InvalidParameterException\)/,
    ],
    [
      'Fargate with a task definition that does not exist',
      ['ecs', 'run-task', '--task-definition', 'x', '--launch-type', 'FARGATE'],
      /\((InvalidParameterException|ClientException|UnsupportedFeatureException|PlatformUnknownException)\)/,
    ],
  ];

  test.for(refused)('%s', async ([, args, message]) => {
    const result = await cli.run(args);
    expect(result.stderr).toMatch(message);
    expect(result.code).toBeGreaterThan(0);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });

  test('a wrong secret', async () => {
    const result = await cli.run(['ecs', 'list-clusters'], { AWS_SECRET_ACCESS_KEY: 'wrong' });
    expect(result.stderr).toMatch(/\((InvalidSignatureException|SignatureDoesNotMatch)\)/);
  });

  test('an unknown access key', async () => {
    const result = await cli.run(['ecr', 'describe-repositories'], { AWS_ACCESS_KEY_ID: 'AKIAAAAAAAAAAAAAAAAA' });
    expect(result.stderr).toMatch(/\((UnrecognizedClientException|InvalidClientTokenId)\)/);
  });

  test('no signature at all', async () => {
    const answer = await fetch(server.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'AmazonEC2ContainerServiceV20141113.ListClusters',
      },
      body: '{}',
    });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(((await answer.json()) as { __type: string }).__type).toMatch(/MissingAuthenticationToken/);
  });

  test('an unknown operation', async () => {
    const answer = await fetch(server.endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.1',
        'x-amz-target': 'AmazonEC2ContainerServiceV20141113.MakeCoffee',
      },
      body: '{}',
    });
    expect(answer.status).toBe(400);
    expect(((await answer.json()) as { __type: string }).__type).toMatch(/UnknownOperationException/);
  });

  test('an anonymous pull is challenged, not answered', async () => {
    const answer = await fetch(`${server.endpoint}/v2/web/manifests/prod`);
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toMatch(/^(Basic|Bearer) realm=/);
    expect(await answer.json()).toMatchObject({ errors: [{ code: 'UNAUTHORIZED' }] });
  });

  describe('the registry, with a login', () => {
    let authorization: string;
    beforeAll(async () => {
      const { authorizationData } = await cli.json<{ authorizationData: [{ authorizationToken: string }] }>([
        'ecr',
        'get-authorization-token',
      ]);
      authorization = `Basic ${authorizationData[0].authorizationToken}`;
      await cli.json(['ecr', 'create-repository', '--repository-name', 'web']);
    });
    const ask = (
      method: string,
      path: string,
      body?: string,
      type = 'application/vnd.oci.image.manifest.v1+json',
    ): Promise<Response> =>
      fetch(`${server.endpoint}${path}`, {
        method,
        headers: { authorization, ...(body === undefined ? {} : { 'content-type': type }) },
        ...(body === undefined ? {} : { body }),
      });

    const cases: readonly (readonly [string, string, string, string | undefined, number, string])[] = [
      ['an unknown tag', 'GET', '/v2/web/manifests/nothing', undefined, 404, 'MANIFEST_UNKNOWN'],
      ['an unknown repository', 'GET', '/v2/other/manifests/prod', undefined, 404, 'NAME_UNKNOWN'],
      ['a name with capitals', 'GET', '/v2/Web/manifests/prod', undefined, 400, 'NAME_INVALID'],
      ['a malformed digest', 'GET', '/v2/web/blobs/sha256:abc', undefined, 400, 'DIGEST_INVALID'],
      ['a manifest that is not JSON', 'PUT', '/v2/web/manifests/prod', 'no', 400, 'MANIFEST_INVALID'],
    ];
    test.for(cases)('%s', async ([, method, path, body, status, code]) => {
      const answer = await ask(method, path, body);
      expect(await answer.json()).toMatchObject({ errors: [{ code }] });
      expect(answer.status).toBe(status);
    });

    test('a manifest that names blobs that are not there changes nothing', async () => {
      const digest = `sha256:${'0'.repeat(64)}`;
      const manifest = {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 },
        layers: [],
      };
      const answer = await ask('PUT', '/v2/web/manifests/prod', JSON.stringify(manifest));
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ errors: [{ code: 'MANIFEST_BLOB_UNKNOWN' }] });
      expect(await (await ask('GET', '/v2/web/tags/list')).json()).toEqual({ name: 'web', tags: [] });
    });
  });

  test('slipway serve names every wrong setting at once and exits 1', async () => {
    const main = join(import.meta.dirname, '..', 'cli', 'main.ts');
    const result = await run(process.execPath, [main, 'serve'], {
      env: { SLIPWAY_PORT: 'many', SLIPWAY_ACCOUNT: '12', SLIPWAY_PROT: '1' },
    });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/SLIPWAY_PORT/);
    expect(result.stderr).toMatch(/SLIPWAY_ACCOUNT: must be 12 digits/);
    expect(result.stderr).toMatch(/SLIPWAY_PROT: no such setting/);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });

  test('slipway serve says what is wrong with a data folder it cannot use', async () => {
    const main = join(import.meta.dirname, '..', 'cli', 'main.ts');
    const result = await run(process.execPath, [main, 'serve'], {
      env: { SLIPWAY_DATA: '/dev/null/data', SLIPWAY_PORT: '0' },
    });
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/\/dev\/null\/data/);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });

  test('slipway without a server says what to start', async () => {
    const main = join(import.meta.dirname, '..', 'cli', 'main.ts');
    const result = await run(process.execPath, [main, 'env', '--data', join(folder, 'none')]);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toMatch(/^slipway: no server has left its address in .*npm start/);
  });
});
