import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../images/testing/index.ts';
import type { Fetch } from '../testing/docker-client.ts';
import { breakOff, openPlayground, type Playground, push } from '../testing/playground.ts';
import type { ServedRegistry } from '../testing/serve-registry.ts';

let playground: Playground;
let registry: ServedRegistry;
let admin: Fetch;
beforeAll(async () => {
  playground = await openPlayground();
  ({ registry, admin } = playground);
});
afterAll(() => playground[Symbol.asyncDispose]());

describe('ranges and encodings', () => {
  test('H4: one range is served, overlapping ones are the whole, those that do not fit are 416', async () => {
    const digest = await push(admin, 'open/app', '0123456789');
    const get = async (range: string) => {
      const response = await admin('GET', `/v2/open/app/blobs/${digest}`, { headers: { range } });
      return [
        response.status,
        response.headers.get('content-range'),
        response.status === 416 ? '' : await response.text(),
      ];
    };
    expect(await get('bytes=2-4')).toEqual([206, 'bytes 2-4/10', '234']);
    expect(await get('bytes=7-')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await get('bytes=-3')).toEqual([206, 'bytes 7-9/10', '789']);
    expect(await get('bytes=8-100')).toEqual([206, 'bytes 8-9/10', '89']);
    expect(await get('bytes=5-0')).toEqual([416, 'bytes */10', '']);
    expect(await get('bytes=10-12')).toEqual([416, 'bytes */10', '']);
    expect(await get('bytes=-0')).toEqual([416, 'bytes */10', '']);
    expect(await get(`bytes=${Array.from({ length: 1000 }, () => '0-1').join(',')}`)).toEqual([
      200,
      null,
      '0123456789',
    ]);
  });

  test('several ranges that go forward come as the parts of one answer', async () => {
    const bytes = Array.from({ length: 300_000 }, (_, index) => String.fromCharCode(97 + (index % 23))).join('');
    const digest = await push(admin, 'open/parts', bytes);
    const get = (range: string) => admin('GET', `/v2/open/parts/blobs/${digest}`, { headers: { range } });
    const response = await get('bytes=0-9, 1000-99999,150000-150000,-7,400000-400001');
    expect(response.status).toBe(206);
    const boundary =
      /^multipart\/byteranges; boundary=(\w+)$/.exec(response.headers.get('content-type') ?? '')?.[1] ?? '';
    const body = await response.text();
    expect(response.headers.get('content-length')).toBe(String(body.length));
    const part = (start: number, end: number) =>
      `Content-Type: application/octet-stream\r\nContent-Range: bytes ${start}-${end}/300000\r\n\r\n${bytes.slice(start, end + 1)}`;
    const parts = [part(0, 9), part(1000, 99_999), part(150_000, 150_000), part(299_993, 299_999)];
    expect(body.split(`--${boundary}`)).toEqual(['', ...parts.map((text) => `\r\n${text}\r\n`), '--\r\n']);
    // One that is left over is an answer of its own; backwards, overlapping or unreadable ones are none.
    expect((await get('bytes=400000-,5-6')).headers.get('content-range')).toBe('bytes 5-6/300000');
    for (const range of ['bytes=10-19,0-9', 'bytes=0-9,9-10', 'bytes=0-9,x', 'bytes=0-9,', 'items=0-9'])
      expect((await get(range)).status).toBe(200);
    expect((await get('bytes=300000-,400000-500000')).status).toBe(416);
  });

  test('H7: encoded bodies are refused; blobs are never encoded, whatever the client accepts', async () => {
    const response = await admin('POST', `/v2/open/app/blobs/uploads/?digest=${sha256('x')}`, {
      body: 'x',
      headers: { 'content-encoding': 'gzip' },
    });
    expect(response.status).toBe(415);
    const digest = await push(admin, 'open/app', 'plain bytes');
    const plain = await admin('GET', `/v2/open/app/blobs/${digest}`, {
      headers: { 'accept-encoding': 'zstd;q=1.0, gzip' },
    });
    expect([plain.headers.get('content-encoding'), plain.headers.get('accept-ranges')]).toEqual([null, 'bytes']);
  });

  test('a client that breaks the connection in the middle of a blob leaves no error behind', async () => {
    const large = 'x'.repeat(8_000_000);
    const digest = await push(admin, 'open/large', large);
    await Promise.all(Array.from({ length: 20 }, () => breakOff(registry, `/v2/open/large/blobs/${digest}`)));
    await expect.poll(async () => (await registry.told()).match(/"operation":"GET blob"/g)?.length).toBeGreaterThan(20);
    expect(registry.failures).toEqual([]);
    expect(await (await admin('GET', `/v2/open/large/blobs/${digest}`)).text()).toBe(large);
  });
});
