import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ecr from '@aws-sdk/client-ecr';
import { Registry } from '@prometheus-io/client';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { pushSmallImage } from '../bench/load.ts';
import { readConfig } from '../server/config.ts';
import { startInstallation } from '../server/installation.ts';

/** A whole server whose images an adapter scans; how a scan of a pushed image ends. */
async function scannedBy(report: RequestListener): Promise<ecr.DescribeImageScanFindingsCommandOutput> {
  await using stack = new AsyncDisposableStack();
  let polls = 0;
  const adapter = createServer((request, response) => {
    if (request.method === 'POST') {
      request.resume().on('end', () => response.writeHead(202).end('{"id":"1"}'));
      return;
    }
    if (++polls > 1) return report(request, response);
    // "Not yet", with an address that must not be followed.
    response.writeHead(302, { 'refresh-after': '0.01', location: 'http://169.254.169.254/' }).end();
  }).listen(0, '127.0.0.1');
  stack.defer(() => (adapter.closeAllConnections(), void adapter.close()));
  await once(adapter, 'listening');
  const data = mkdtempSync(join(tmpdir(), 'slipway-adapter-'));
  stack.defer(() => rmSync(data, { recursive: true, force: true }));
  const installation = stack.adopt(
    await startInstallation(
      readConfig({
        SLIPWAY_DATA: data,
        SLIPWAY_PORT: '0',
        SLIPWAY_AGENT: 'off',
        SLIPWAY_OUTBOUND_ALLOW: '127.0.0.0/8',
        SLIPWAY_SCANNER: `http://127.0.0.1:${(adapter.address() as AddressInfo).port}`,
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
  await client.send(new ecr.CreateRepositoryCommand({ repositoryName: 'web' }));
  const { authorizationData } = await client.send(new ecr.GetAuthorizationTokenCommand({}));
  const headers = { authorization: `Basic ${authorizationData?.[0]?.authorizationToken ?? ''}` };
  await pushSmallImage({ origin: url, headers }, 'web', 'v1');
  const image = { repositoryName: 'web', imageId: { imageTag: 'v1' } };
  await client.send(new ecr.StartImageScanCommand(image));
  const findings = () => client.send(new ecr.DescribeImageScanFindingsCommand(image));
  await expect
    .poll(async () => (await findings()).imageScanStatus?.status, { timeout: 180_000, interval: 100 })
    .toMatch(/^(?:COMPLETE|ACTIVE|FAILED)$/);
  return await findings();
}

test('an adapter scans an image, and its "not yet" is no redirect', async () => {
  const { imageScanStatus, imageScanFindings } = await scannedBy((_request, response) =>
    response.end('{"vulnerabilities":[{"id":"CVE-2024-1","package":"zlib","version":"1","severity":"High"}]}'),
  );
  expect(imageScanStatus?.status).toMatch(/^(?:COMPLETE|ACTIVE)$/);
  expect(imageScanFindings?.findingSeverityCounts).toEqual({ HIGH: 1 });
});

test('F6, D6: a report that stands for gigabytes makes the scan fail, with the reason', async () => {
  const { imageScanStatus } = await scannedBy((_request, response) =>
    response.end(`{"vulnerabilities":[${'['.repeat(20_000_000)}`),
  );
  expect(imageScanStatus).toMatchObject({
    status: 'FAILED',
    description: expect.stringContaining('nested more than 32 levels deep'),
  });
});
