import aws4 from 'aws4';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { AuditFile } from '../audit/index.ts';
import { callers, openFrontDoor } from './testing/front-door.ts';

test('secrets that pass through are in no audit line, log, metric or error body', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-canary-'));
  const audit = new AuditFile({ path: join(folder, 'audit.log') });
  await using door = await openFrontDoor({ audit });
  const password = (await door.tokens.issueAuthorization(callers.admin.principal)).password;
  const canary = 'canary-9f3b';
  const secrets = [
    canary,
    callers.admin.secretAccessKey,
    callers.session.sessionToken,
    password.slice(-40),
    Buffer.from(`AWS:${canary}`).toString('base64'),
  ];
  const bodies: string[] = [];
  const send = async (path: string, init: RequestInit): Promise<void> =>
    void bodies.push(await (await fetch(`${door.url}${path}`, init)).text());
  const basic = (secret: string): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(`AWS:${secret}`).toString('base64')}`,
  });

  await send('/v2/', { headers: basic(password) });
  await send('/v2/a/manifests/b', { headers: basic(canary) });
  await send(`/v2/?token=${canary}`, { headers: { authorization: `Bearer ${canary}` } });
  await send('/token', {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'password', username: 'AWS', password: canary }),
  });
  for (const [caller, body] of [
    [callers.session, '{"serviceName":1}'],
    [callers.admin, `{"clusters":["broken"],"x":"${canary}"}`],
    [{ accessKeyId: 'AKIAADMIN', secretAccessKey: canary }, canary],
  ] as const) {
    const target = body.includes('clusters') ? 'DescribeClusters' : 'CreateService';
    const headers = { Host: new URL(door.url).host, 'X-Amz-Target': `AmazonEC2ContainerServiceV20141113.${target}` };
    const signed = aws4.sign({ method: 'POST', path: '/', service: 'ecs', region: 'us-east-1', headers, body }, caller)
      .headers as Record<string, string>;
    const { Host: _host, 'Content-Length': _length, ...sent } = signed;
    secrets.push((signed['Authorization'] as string).slice(-64));
    await send('/', { method: 'POST', headers: { ...sent, 'User-Agent': 'test' }, body });
  }
  await send('/metrics', {});
  await audit.close();
  const lines = await readFile(join(folder, 'audit.log'), 'utf8');
  await rm(folder, { recursive: true, force: true });
  expect(lines.trimEnd().split('\n')).toHaveLength(7);
  const everything = `${lines}\n${JSON.stringify(door.logged, (_key, value: unknown) => (value instanceof Error ? value.stack : value))}\n${bodies.join('\n')}`;
  expect(everything).toContain('slipway_requests_total{service="ecs"');
  for (const secret of secrets) expect(everything).not.toContain(secret);
});
