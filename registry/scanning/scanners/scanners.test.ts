import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '@slipway/storage/clock';
import { isRunning } from '@slipway/storage/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { adapterScanner } from './adapter.ts';
import { commandScanner } from './command.ts';
import type { ScanTarget } from './scanner.ts';

const target: ScanTarget = {
  account: '123456789012',
  repository: 'team/web',
  digest: `sha256:${'a'.repeat(64)}`,
  tags: ['v1'],
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  layers: [],
};

describe('the adapter', () => {
  type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

  async function scan(handler: Handler, options: { time?: number; reportBytes?: number } = {}) {
    const seen: { method: string; url: string; accept: string; auth: string; body: string }[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => (body += chunk.toString()));
      request.on('end', () => {
        const { accept = '', authorization = '' } = request.headers;
        seen.push({ method: request.method ?? '', url: request.url ?? '', accept, auth: authorization, body });
        handler(request, response, body);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const scanner = adapterScanner({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      fetch,
      clock: systemClock,
      authorization: { kind: 'bearer', token: 'secret' },
      registry: async () => ({ url: 'http://registry.test:7500', authorization: 'Basic cHVsbA==' }),
      pollEvery: 10,
      ...(options.reportBytes === undefined ? {} : { reportBytes: options.reportBytes }),
    });
    try {
      return { report: await scanner.scan(target, AbortSignal.timeout(options.time ?? 60_000)), seen, scanner };
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  const accepted = (response: ServerResponse): void => void response.writeHead(202).end('{"id":"scan 1"}');
  const answer =
    (report: unknown): Handler =>
    (request, response) =>
      request.method === 'POST'
        ? accepted(response)
        : void response.end(typeof report === 'string' ? report : JSON.stringify(report));

  test('asks for a scan, waits for the report, and reads it', async () => {
    let polls = 0;
    const { report, seen } = await scan((request, response) => {
      if (request.method === 'POST') return accepted(response);
      if (++polls < 3) return void response.writeHead(302, { 'refresh-after': '0.01' }).end();
      return void response.end(
        JSON.stringify({
          generated_at: '2026-01-02T03:04:05Z',
          artifact: { digest: target.digest },
          vulnerabilities: [
            {
              id: 'CVE-2024-1',
              package: 'zlib',
              version: '1',
              fix_version: '2',
              severity: 'Critical',
              description: 'bad',
              links: ['https://x.test/1'],
              preferred_cvss: { vector_v3: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' },
            },
            { id: 'CVE-2024-2', package: 'y', severity: 'Negligible' },
            { id: 'CVE-2024-3', package: 'z', severity: 'Unknown' },
          ],
        }),
      );
    });
    expect(report.knowledgeFrom).toBe(Date.parse('2026-01-02T03:04:05Z'));
    expect(report.findings).toMatchObject([
      {
        name: 'CVE-2024-1',
        severity: 'CRITICAL',
        fixedIn: '2',
        uri: 'https://x.test/1',
        score: { score: 9.8 },
        package: { name: 'zlib', version: '1' },
      },
      { severity: 'INFORMATIONAL' },
      { severity: 'UNDEFINED' },
    ]);
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({
      registry: { url: 'http://registry.test:7500', authorization: 'Basic cHVsbA==' },
      artifact: { repository: 'team/web', digest: target.digest, mime_type: target.mediaType, tag: 'v1' },
    });
    expect(seen[0]).toMatchObject({ method: 'POST', url: '/api/v1/scan', auth: 'Bearer secret' });
    expect(seen.at(-1)).toMatchObject({
      url: '/api/v1/scan/scan%201/report',
      accept: 'application/vnd.security.vulnerability.report; version=1.1',
    });
    expect(seen).toHaveLength(4);
  });

  test('reads what the adapter says of itself', async () => {
    const server = createServer((_request, response) =>
      response.end(
        JSON.stringify({
          scanner: { name: 'Trivy', version: '1' },
          capabilities: [{ consumes_mime_types: ['a'], produces_mime_types: ['b'] }],
        }),
      ),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const scanner = adapterScanner({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      fetch,
      clock: systemClock,
      registry: async () => ({ url: '', authorization: '' }),
    });
    expect(await scanner.metadata(AbortSignal.timeout(5000))).toMatchObject({ scanner: { name: 'Trivy' } });
    server.close();
  });

  test.each<[string, Handler, RegExp]>([
    ['refuses the scan', (_request, response) => void response.writeHead(500).end('{}'), /answered 500 for the scan/],
    [
      'has no report',
      (request, response) => (request.method === 'POST' ? accepted(response) : void response.writeHead(404).end()),
      /answered 404 for the report/,
    ],
    ['reports no JSON', answer('<html>'), /not JSON/],
    [
      'reports something else',
      answer({ vulnerabilities: [{ id: 5 }] }),
      /not what it should be at 'vulnerabilities.0.id'/,
    ],
    [
      'reports on another image',
      answer({ artifact: { digest: 'sha256:other' }, vulnerabilities: [] }),
      /another image/,
    ],
    ['reports too much', answer(JSON.stringify({ x: 'y'.repeat(20_000) })), /larger than 10000/],
    ['F6: nests its report', answer(`{"x":${'['.repeat(40)}${']'.repeat(40)}}`), /nested more than 32 levels deep/],
    ['closes the connection', (_request, response) => void response.destroy(), /cannot be reached/],
  ])('fails when the scanner %s', async (_what, handler, reason) => {
    await expect(scan(handler, { reportBytes: 10_000 })).rejects.toThrow(reason);
  });

  test('F6: a report that stands for gigabytes is cut off while it comes, and none of it is built', async () => {
    for (const [part, reason] of [
      ['[', /nested more than 32 levels deep/],
      ['[],', /more than 1000000 values/],
      ['0,', /more than 1000000 values/],
    ] as const) {
      const before = process.memoryUsage().heapUsed;
      const bomb: Handler = (request, response) =>
        request.method === 'POST'
          ? accepted(response)
          : void response.end(`{"vulnerabilities":[${part.repeat(Math.floor(24_000_000 / part.length))}`);
      await expect(scan(bomb, { time: 120_000 })).rejects.toThrow(reason);
      expect(process.memoryUsage().heapUsed - before).toBeLessThan(120_000_000);
    }
  });

  test('F6: brackets and commas within texts count as text', async () => {
    const description = '[{,"'.repeat(5000);
    const { report } = await scan(answer({ vulnerabilities: [{ id: 'CVE-1', package: 'x', description }] }));
    expect(report.findings).toMatchObject([{ name: 'CVE-1', description }]);
  });

  test('gives up a scanner that never answers, and one that is never done', async () => {
    await expect(scan(() => {}, { time: 200 })).rejects.toThrow(/timeout/);
    const never: Handler = (request, response) =>
      request.method === 'POST' ? accepted(response) : void response.writeHead(302).end();
    await expect(scan(never, { time: 200 })).rejects.toThrow(/timeout/);
  });
});

describe('the command', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-command-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const scan = (script: string, signal = AbortSignal.timeout(60_000)) =>
    commandScanner({
      program: '/bin/sh',
      arguments: ['-c', script, 'scanner', '{image}', '{tag}', '{unknown}'],
      reference: (image) => `host:7500/${image.repository}@${image.digest}`,
      outputBytes: 100_000,
    }).scan(target, signal);

  const print = (value: unknown): string => {
    const file = join(folder, 'output.json');
    writeFileSync(file, JSON.stringify(value));
    return `cat '${file}'`;
  };
  const osv = {
    id: 'GHSA-1',
    aliases: ['CVE-2024-1234'],
    summary: 'bad',
    affected: [{ package: { ecosystem: 'npm', name: 'x' }, versions: ['1'] }],
    severity: [{ type: 'CVSS_V3', score: 'CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H' }],
  };

  test('gets the image as arguments, without a shell between, and nothing of the server in its environment', async () => {
    const secret = 'SLIPWAY_TEST_SECRET';
    process.env[secret] = 'hidden';
    const { findings } = await scan(`printf '{"vulnerabilities":[{"id":"%s|%s|%s|%s"}]}' "$1" "$2" "$3" "$${secret}"`);
    delete process.env[secret];
    expect(findings[0]?.name).toBe(`host:7500/team/web@${target.digest}|v1|{unknown}|`);
  });

  test('OSV records, osv-scanner results and SARIF; exit code 1 is an answer', async () => {
    expect((await scan(print({ vulnerabilities: [osv] }))).findings).toMatchObject([
      { name: 'CVE-2024-1234', severity: 'CRITICAL', package: { name: 'x', version: '1' } },
    ]);
    const grouped = {
      results: [{ packages: [{ package: { name: 'y', version: '2', ecosystem: 'npm' }, vulnerabilities: [osv] }] }],
    };
    expect((await scan(`${print(grouped)}; exit 1`)).findings).toMatchObject([
      { name: 'CVE-2024-1234', package: { name: 'y', version: '2' } },
    ]);
    const sarif = {
      version: '2.1.0',
      runs: [
        {
          tool: {
            driver: {
              name: 's',
              rules: [{ id: 'CVE-1', helpUri: 'https://x.test', properties: { 'security-severity': '7.5' } }],
            },
          },
          results: [
            { ruleId: 'CVE-1', message: { text: 'm' } },
            { ruleId: 'CVE-2', level: 'note', message: { text: 'n' } },
          ],
        },
      ],
    };
    expect((await scan(print(sarif))).findings).toMatchObject([
      { name: 'CVE-1', severity: 'HIGH', uri: 'https://x.test', description: 'm' },
      { name: 'CVE-2', severity: 'LOW' },
    ]);
  });

  test.each([
    ['ends with an error', 'echo no network >&2; exit 3', /ended with code 3: no network/],
    ['crashes', 'kill -SEGV $$', /ended with SIGSEGV/],
    ['writes no JSON', 'echo hello', /not JSON/],
    ['writes other JSON', 'echo "{}"', /neither OSV nor SARIF/],
    ['reports what is no record', 'echo "{\\"vulnerabilities\\":[7]}"', /no OSV record/],
    [
      'never stops writing',
      'while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done',
      /larger than 100000 bytes/,
    ],
  ])('fails when the program %s', async (_what, script, reason) => {
    await expect(scan(script)).rejects.toThrow(reason);
  });

  test('a program that is not there', async () => {
    const scanner = commandScanner({ program: '/no/such/program', arguments: [], reference: () => '' });
    await expect(scanner.scan(target, AbortSignal.timeout(60_000))).rejects.toThrow(/cannot be started/);
  });

  test('a program that hangs is killed, and so is what it started', async () => {
    const mark = join(folder, 'begun');
    await expect(scan('sleep 60', AbortSignal.timeout(300))).rejects.toThrow(/timeout/);
    const over = new AbortController();
    const scanned = scan(
      `sleep 600 & echo $! > '${mark}.new'; mv '${mark}.new' '${mark}'; sleep 600`,
      over.signal,
    ).catch((error: unknown) => error);
    await expect.poll(() => existsSync(mark)).toBe(true);
    over.abort(new Error('its time is over'));
    expect(String(await scanned)).toContain('its time is over');
    await expect.poll(() => isRunning(Number(readFileSync(mark, 'utf8')))).toBe(false);
  });
});
