import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import aws4 from 'aws4';
import { afterEach, expect, test, vi } from 'vitest';
import { askServer } from './own-routes.ts';

afterEach(() => vi.unstubAllEnvs());

test('a request is signed with its query, and a refusal is told with its code', async () => {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    response.writeHead(404, { 'x-amzn-errortype': 'FileSystemNotFound' }).end('{"Message":"there is none"}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv('AWS_ENDPOINT_URL', `http://${host}`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIA');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('AWS_SESSION_TOKEN', '');
  vi.stubEnv('AWS_REGION', 'us-east-1');
  try {
    const path = '/2015-02-01/file-systems?Marker=a%2Fb';
    await expect(askServer('GET', path, { service: 'elasticfilesystem' })).rejects.toMatchObject({
      code: 'FileSystemNotFound',
      message: 'there is none',
      exitCode: 1,
    });
    const [asked] = seen;
    expect(asked?.url).toBe(path);
    const date = { 'X-Amz-Date': String(asked?.headers['x-amz-date']) };
    const wanted = aws4.sign(
      { method: 'GET', host, path, service: 'elasticfilesystem', region: 'us-east-1', headers: date },
      { accessKeyId: 'AKIA', secretAccessKey: 'secret' },
    );
    expect(asked?.headers.authorization).toBe(wanted.headers?.['Authorization']);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
