import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ecr from '@aws-sdk/client-ecr';
import { Registry } from '@prometheus-io/client';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { readConfig } from '../server/config.ts';
import { startInstallation } from '../server/installation.ts';

const sha256 = (bytes: string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

/** Outbound requests to the address are allowed, so that it is not the guarded client that keeps the server from making them. */
test('F6: addresses in a manifest are kept as they are and never asked, by a push, a scan or a pull', async () => {
  await using stack = new AsyncDisposableStack();
  const asked: string[] = [];
  const elsewhere = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.end('layer');
  }).listen(0, '127.0.0.1');
  stack.defer(() => void elsewhere.close());
  await once(elsewhere, 'listening');
  const outside = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`;

  const data = mkdtempSync(join(tmpdir(), 'slipway-urls-'));
  stack.defer(() => rmSync(data, { recursive: true, force: true }));
  const installation = stack.adopt(
    await startInstallation(
      readConfig({
        SLIPWAY_DATA: data,
        SLIPWAY_PORT: '0',
        SLIPWAY_AGENT: 'off',
        SLIPWAY_OUTBOUND_ALLOW: '127.0.0.0/8',
      }),
      pino({ level: 'silent' }),
      { port: 0, metrics: new Registry() },
    ),
    (it) => it.close(),
  );
  const { url } = installation.listening;
  if (installation.administrator === undefined) throw new Error('a new installation makes an administrator');
  const client = stack.adopt(
    new ecr.ECRClient({ endpoint: url, region: 'us-east-1', credentials: installation.administrator }),
    (it) => it.destroy(),
  );
  await client.send(
    new ecr.CreateRepositoryCommand({ repositoryName: 'web', imageScanningConfiguration: { scanOnPush: true } }),
  );
  const { authorizationData } = await client.send(new ecr.GetAuthorizationTokenCommand({}));
  const authorization = `Basic ${authorizationData?.[0]?.authorizationToken}`;

  const config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}';
  const pushed = await fetch(`${url}/v2/web/blobs/uploads/?digest=${sha256(config)}`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/octet-stream' },
    body: config,
  });
  expect(pushed.status).toBe(201);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: sha256(config),
      size: config.length,
      urls: [`${outside}/config`],
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
        digest: sha256('layer'),
        size: 5,
        urls: [`${outside}/layer`],
      },
    ],
  });
  const put = await fetch(`${url}/v2/web/manifests/v1`, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/vnd.oci.image.manifest.v1+json' },
    body: manifest,
  });
  expect([put.status, await put.text()]).toEqual([201, '']);

  const scan = async (): Promise<string | undefined> =>
    (
      await client
        .send(new ecr.DescribeImageScanFindingsCommand({ repositoryName: 'web', imageId: { imageTag: 'v1' } }))
        .catch((error: unknown) => {
          if (error instanceof ecr.ScanNotFoundException) return undefined;
          throw error;
        })
    )?.imageScanStatus?.status;
  // A scan that took stock of everything it was willing to read, which is nothing.
  await expect.poll(scan, { timeout: 180_000, interval: 200 }).toBe('UNSUPPORTED_IMAGE');

  const pulled = await fetch(`${url}/v2/web/manifests/v1`, { headers: { authorization } });
  expect(await pulled.text()).toBe(manifest);
  const layer = await fetch(`${url}/v2/web/blobs/${sha256('layer')}`, { headers: { authorization } });
  expect(layer.status).toBe(404);
  expect(asked).toEqual([]);
  // It could have been asked.
  expect(await (await fetch(`${outside}/layer`)).text()).toBe('layer');
});
