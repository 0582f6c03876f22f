import { SetRepositoryPolicyCommand } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch } from '../testing/docker-client.ts';
import { begin, codeOf, cutOff, openPlayground, patch, type Playground } from '../testing/playground.ts';
import { type ServedRegistry } from '../testing/serve-registry.ts';

let playground: Playground;
let registry: ServedRegistry;
let admin: Fetch;
let guest: Fetch;
beforeAll(async () => {
  playground = await openPlayground();
  ({ registry, admin, guest } = playground);
});
afterAll(() => playground[Symbol.asyncDispose]());

describe('uploads', () => {
  test('U1: an upload of another caller, or under another repository, does not exist', async () => {
    const location = await begin(admin, 'open/app');
    for (const [method, path] of [
      ['GET', location],
      ['PATCH', location],
      ['PUT', `${location}?digest=${sha256('x')}`],
      ['DELETE', location],
    ] as const) {
      expect((await guest(method, path, method === 'PATCH' || method === 'PUT' ? { body: 'x' } : {})).status).toBe(404);
    }
    expect((await admin('GET', location.replace('open/app', 'open/other'))).status).toBe(404);
    expect((await admin('GET', location)).status).toBe(204);
  });

  test('U2: upload ids carry 128 random bits in the form of a UUID', async () => {
    const ids = await Promise.all(
      Array.from({ length: 20 }, async () => (await begin(admin, 'open/ids')).split('/').at(-1) as string),
    );
    expect(new Set(ids).size).toBe(20);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/);
    expect(new Set(ids.map((id) => id[14])).size).toBeGreaterThan(3);
  });

  test('U4: parts out of order get 416 and where the upload is; it goes on from there', async () => {
    const location = await begin(admin, 'open/app');
    expect((await patch(admin, location, '01234', '0-4')).headers.get('range')).toBe('0-4');
    for (const range of ['3-7', '6-10', '0-4', '5-8', 'nonsense']) {
      const refused = await patch(admin, location, '56789', range);
      expect([refused.status, refused.headers.get('range'), refused.headers.get('location')]).toEqual([
        416,
        '0-4',
        location,
      ]);
    }
    expect((await patch(admin, location, '56789', '5-9')).status).toBe(202);
    const wrongEnd = await admin('PUT', `${location}?digest=${sha256('0123456789abc')}`, {
      body: 'abc',
      headers: { 'content-range': '20-22' },
    });
    expect(wrongEnd.status).toBe(416);
    expect(
      (
        await admin('PUT', `${location}?digest=${sha256('0123456789abc')}`, {
          body: 'abc',
          headers: { 'content-range': '10-12' },
        })
      ).status,
    ).toBe(201);
  });

  test('U4: of two parts sent for the same place at once, one counts', async () => {
    for (const prefix of ['', 'first ']) {
      const location = await begin(admin, 'open/race');
      if (prefix !== '') await patch(admin, location, prefix);
      const bodies = ['a'.repeat(200_000), 'b'.repeat(200_000)];
      const answers = await Promise.all(
        bodies.map((body) => patch(admin, location, body, `${prefix.length}-${prefix.length + 199_999}`)),
      );
      expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([202, 416]);
      const won = bodies[answers.findIndex((answer) => answer.status === 202)] as string;
      expect((await admin('PUT', `${location}?digest=${sha256(prefix + won)}`)).status).toBe(201);
    }
  });

  test('U5: an upload ends once', async () => {
    const location = await begin(admin, 'open/app');
    await patch(admin, location, 'once');
    expect((await admin('PUT', `${location}?digest=${sha256('once')}`)).status).toBe(201);
    expect(await codeOf(await admin('PUT', `${location}?digest=${sha256('once')}`))).toBe('404 BLOB_UPLOAD_UNKNOWN');
    expect((await patch(admin, location, 'more')).status).toBe(404);
    const cancelled = await begin(admin, 'open/app');
    expect((await admin('DELETE', cancelled)).status).toBe(204);
    expect((await admin('PUT', `${cancelled}?digest=${sha256('')}`)).status).toBe(404);
  });

  test('U6: no digest, two digests, a wrong one: refused, and the right one still ends the upload', async () => {
    const location = await begin(admin, 'open/app');
    await patch(admin, location, 'content');
    for (const query of [
      '',
      `digest=${sha256('content')}&digest=${sha256('content')}`,
      `digest=${sha256('other')}`,
      'digest=sha256:xyz',
    ]) {
      expect(await codeOf(await admin('PUT', `${location}?${query}`))).toBe('400 DIGEST_INVALID');
    }
    expect((await admin('PUT', `${location}?digest=${sha256('content')}`)).status).toBe(201);
  });

  test('U7: after a cut the status says what is there, and the upload goes on', async () => {
    const location = await begin(admin, 'open/app');
    await patch(admin, location, '01234');
    await cutOff(registry, 'PATCH', location, '56789', 1000);
    const status = async () => (await admin('GET', location)).headers.get('range');
    await expect.poll(status, { timeout: 60_000 }).toBe('0-9');
    expect((await patch(admin, location, 'end', '10-12')).status).toBe(202);
    expect((await admin('PUT', `${location}?digest=${sha256('0123456789end')}`)).status).toBe(201);
  });

  test('U9: a right taken away between POST and PUT is missing at the PUT', async () => {
    const location = await begin(guest, 'open/revoked');
    await patch(guest, location, 'x');
    const ecr = ecrClient(registry);
    const policyText = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Principal: '*', Action: 'ecr:CompleteLayerUpload' }],
    });
    await ecr.send(new SetRepositoryPolicyCommand({ repositoryName: 'open/revoked', policyText }));
    ecr.destroy();
    expect(await codeOf(await guest('PUT', `${location}?digest=${sha256('x')}`))).toBe('403 DENIED');
  });
});
