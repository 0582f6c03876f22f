import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const missing = await missingAwsCli();
if (missing !== undefined && process.env['CI']) throw new Error(`${missing} on this machine`);

const folder = mkdtempSync(join(tmpdir(), 'slipway-cli-ecr-'));
let server: ServerProcess;
let aws: AwsCli;

beforeAll(async () => {
  if (missing !== undefined) return;
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  aws = new AwsCli(server.aws());
});

afterAll(async () => {
  if (missing === undefined) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

test.skipIf(missing !== undefined)(
  `the AWS CLI sets up a registry, pushes a layer and an image, archives and restores it${missing ? ` (${missing})` : ''}`,
  async () => {
    const ecr = <T>(...args: string[]): Promise<T> => aws.json<T>(['ecr', ...args]);
    const made = await ecr('create-repository', '--repository-name', 'cli/app', '--tags', 'Key=team,Value=blue');
    expect(made).toMatchObject({ repository: { repositoryUri: `${server.registry}/cli/app` } });
    await ecr(
      'create-repository-creation-template',
      '--prefix',
      'cli-made',
      '--applied-for',
      'CREATE_ON_PUSH',
      '--image-tag-mutability',
      'IMMUTABLE',
    );
    const layer = join(folder, 'layer');
    writeFileSync(layer, '{}');
    const { uploadId } = await ecr<{ uploadId: string }>('initiate-layer-upload', '--repository-name', 'cli/app');
    const upload = ['--repository-name', 'cli/app', '--upload-id', uploadId];
    await ecr(
      'upload-layer-part',
      ...upload,
      '--part-first-byte',
      '0',
      '--part-last-byte',
      '1',
      '--layer-part-blob',
      `fileb://${layer}`,
    );
    const digest = 'sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
    await ecr('complete-layer-upload', ...upload, '--layer-digests', digest);
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 2 },
      layers: [],
    });
    await ecr('put-image', '--repository-name', 'cli/app', '--image-manifest', manifest, '--image-tag', 'v1');
    const described = await ecr('describe-images', '--repository-name', 'cli/app');
    expect(described).toMatchObject({ imageDetails: [{ imageTags: ['v1'], imageStatus: 'ACTIVE' }] });
    const change = (target: string) =>
      ecr(
        'update-image-storage-class',
        '--repository-name',
        'cli/app',
        '--image-id',
        'imageTag=v1',
        '--target-storage-class',
        target,
      );
    expect(await change('ARCHIVE')).toMatchObject({ imageStatus: 'ARCHIVED' });
    expect(await change('STANDARD')).toMatchObject({ imageStatus: 'ACTIVE' });
    const refused = await aws.run([
      'ecr',
      'put-replication-configuration',
      '--replication-configuration',
      '{"rules":[{"destinations":[{"region":"eu-west-1","registryId":"000000000000"}]}]}',
    ]);
    expect(refused.stderr).toContain('No installation is known for the destination eu-west-1, 000000000000');
    const metrics = await (await fetch(`${server.endpoint}/metrics`)).text();
    expect(metrics).toContain('slipway_registry_repository_images{repository="cli/app"} 1');
    expect(metrics).toContain('slipway_registry_repository_bytes{repository="cli/app"} 2');
    await ecr('delete-repository', '--repository-name', 'cli/app', '--force');
  },
);
