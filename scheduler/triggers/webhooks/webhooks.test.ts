import { Registry } from '@prometheus-io/client';
import type { FrontAuthorizer, Log, Principal } from '@slipway/auth/contract';
import { createGateway } from '@slipway/auth/gateway';
import { unwatched } from '@slipway/auth/gateway/testing';
import { deliveryWindow, signatureOf } from '@slipway/auth/kit';
import aws4 from 'aws4';
import { TokenService } from '@slipway/auth/tokens';
import { systemClock } from '@slipway/storage/clock';
import { expect, test, vi } from 'vitest';

import { ClusterWorld, ref, setter } from '../../control/testing/cluster-world.ts';
import { deleteService, setFollow } from '../../services/index.ts';
import { createWebhookAdministration, createWebhookReceiver } from '../index.ts';

const host = '127.0.0.1:7500';
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;
const web = { ...ref, service: 'web' };
const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };
const admin: Principal = {
  type: 'user',
  account: ref.account,
  arn: `arn:aws:iam::${ref.account}:user/admin`,
  id: 'AIDAADMIN',
};

const deployer = {
  type: 'assumed-role',
  account: ref.account,
  arn: `arn:aws:sts::${ref.account}:assumed-role/ci/build`,
  id: 'AROACI:build',
  accessKeyId: 'ASIACI',
  expiresAt: Date.now() + 900_000,
} as const satisfies Principal;
const secret = 'the-secret';
const callers = { AKIAADMIN: { ...admin, accessKeyId: 'AKIAADMIN' }, ASIACI: deployer };

interface Made {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
}

/** A service that runs `web:prod`, and a gateway with the webhook routes. */
class Bench implements AsyncDisposable {
  readonly world: ClusterWorld;
  readonly url: string;
  /** What the authorizer was asked for, and whether it says yes: to callers, and to what acts in somebody's name. */
  readonly asked: string[] = [];
  readonly principals: Principal[] = [];
  /** What `docker login` would send. */
  readonly password: string;
  /** Keys of sessions that are over. */
  readonly ended = new Set<string>();
  allows = true;
  delegates = true;
  readonly audit: object[] = [];
  readonly #close: () => Promise<void>;

  private constructor(world: ClusterWorld, started: { url: string; password: string; close: () => Promise<void> }) {
    this.world = world;
    this.url = started.url;
    this.password = started.password;
    this.#close = started.close;
  }

  static async open(image = `${host}/web:prod`): Promise<Bench> {
    const world = await ClusterWorld.open();
    await world.tag('web', 'prod', digest('a'));
    await world.instance('i1');
    await world.plane().start();
    const revision = await world.revision(image);
    await world.service(revision.arn, { desiredCount: 1 });
    await setFollow(world.ecs, web, { mode: 'tags' }, setter);
    await world.steady();
    // Reversed, so that a sealed secret does not hold the plain one.
    const turned = (text: string): string => text.split('').toReversed().join('');
    const sealer = {
      seal: (text: string, purpose: string): string => `${purpose}|${turned(text)}`,
      open: (text: string, purpose: string): string => turned(text.slice(purpose.length + 1)),
    };
    const holder: { bench?: Bench } = {};
    const authorizer: FrontAuthorizer = {
      foresee: () => Promise.resolve(undefined),
      authorize: (principal, { action, resources }) => {
        const { delegated = false, id, accessKeyId } = principal;
        holder.bench?.asked.push(`${delegated ? `for ${id} ` : ''}${action} ${resources[0]?.arn ?? ''}`);
        holder.bench?.principals.push(principal);
        const over = accessKeyId !== undefined && holder.bench?.ended.has(accessKeyId) === true;
        if (over)
          return Promise.resolve({ allowed: false, reason: 'the session has ended or was revoked', explicit: false });
        const allowed = (delegated ? holder.bench?.delegates : holder.bench?.allows) === true;
        return Promise.resolve({ allowed, reason: 'the test says so', explicit: false });
      },
    };
    const context = { ...world.triggerOptions(), sealer, authorizer };
    const tokens = new TokenService({
      records: context.records,
      clock: systemClock,
      sealer,
      issuer: 'slipway:test',
      region: context.region,
    });
    const gateway = createGateway({
      ...unwatched(context.region),
      services: [],
      web: [createWebhookReceiver(context), createWebhookAdministration(context)],
      credentials: {
        find: async (id) =>
          id in callers ? { secret, principal: callers[id as keyof typeof callers] } : { refused: 'unknown' },
      },
      standing: { standing: () => Promise.resolve(true) },
      authorizer,
      audit: { write: (moment, { facts }) => void holder.bench?.audit.push({ ...moment, ...facts }) },
      tokens,
      clock: systemClock,
      log: silent,
      metrics: new Registry(),
      region: context.region,
      account: ref.account,
    });
    const { url } = await gateway.listen({ host: '127.0.0.1', port: 0 });
    const { token } = await tokens.issueAuthorization(admin);
    holder.bench = new Bench(world, { url, password: token, close: () => gateway.close(0) });
    return holder.bench;
  }

  administer(method: string, path = '', as: keyof typeof callers = 'AKIAADMIN', service = 'ecs'): Promise<Response> {
    const target = `/slipway/webhooks/${ref.cluster}/web${path}`;
    const { host } = new URL(this.url);
    const signed = aws4.sign(
      { method, host, path: target, service, region: 'us-east-1' },
      { accessKeyId: as, secretAccessKey: secret },
    );
    return fetch(this.url + target, { method, headers: signed.headers as Record<string, string> });
  }

  async make(as?: keyof typeof callers): Promise<Made> {
    const answer = await this.administer('POST', '', as);
    if (answer.status !== 201) throw new Error(await answer.text());
    return (await answer.json()) as Made;
  }

  async deliver(hook: Made, body = '', header?: string): Promise<{ status: number; text: string }> {
    const seconds = Math.floor(Date.now() / 1000);
    const answer = await fetch(`${this.url}/webhooks/${hook.id}`, {
      method: 'POST',
      body,
      headers: { 'slipway-signature': header ?? signatureOf(hook.secret, hook.id, seconds, Buffer.from(body)) },
    });
    return { status: answer.status, text: await answer.text() };
  }

  async runs(image: string): Promise<void> {
    await this.world.until(
      () => this.world.running(),
      (tasks) => tasks.length > 0 && tasks.every((task) => task.containers[0]?.image === image),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.world[Symbol.asyncDispose]();
  }
}

test('a delivery rolls the service to what its tag names now, as a push does', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  expect(hook.url).toBe(`${bench.url}/webhooks/${hook.id}`);
  expect(await bench.deliver(hook)).toMatchObject({ status: 200, text: expect.stringContaining('nothing to do') });
  await bench.world.tag('web', 'prod', digest('b'));
  expect((await bench.deliver(hook, '{"from":"CI"}')).status).toBe(202);
  await bench.runs(`${host}/web:prod@${digest('b')}`);
  expect((await bench.world.read()).deployments[0]?.cause).toEqual({
    kind: 'webhook',
    detail: `web:prod ${digest('b')} (webhook ${hook.id})`,
  });
});

test('a delivery can name the image: a tag of this registry is pinned, and one that is not there changes nothing', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  await bench.world.tag('web', 'v2', digest('c'));
  expect((await bench.deliver(hook, JSON.stringify({ image: `${host}/web:v2` }))).status).toBe(202);
  await bench.runs(`${host}/web:v2@${digest('c')}`);
  const before = await bench.world.read();
  for (const image of [`${host}/web:v3`, `${host}/other:v2`, 'NOT AN IMAGE']) {
    expect(await bench.deliver(hook, JSON.stringify({ image }))).toMatchObject({ status: 422 });
  }
  expect((await bench.world.read()).deployments[0]?.id).toBe(before.deployments[0]?.id);
});

test('an image of another registry is deployed as it was named, the same tag anew', async () => {
  await using bench = await Bench.open('ghcr.io/me/web:1');
  const hook = await bench.make();
  expect((await bench.deliver(hook, '{"image":"ghcr.io/me/web:2"}')).status).toBe(202);
  await bench.runs('ghcr.io/me/web:2');
  await bench.world.steady();
  const before = (await bench.world.read()).deployments[0]?.id;
  expect((await bench.deliver(hook, '{"image": "ghcr.io/me/web:2"}')).status).toBe(202);
  expect((await bench.world.read()).deployments[0]?.id).not.toBe(before);
});

test('only a body signed for this webhook at this time is taken, and once', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  const other = await bench.make();
  const now = Math.floor(Date.now() / 1000);
  const body = '{"a":1}';
  const bytes = Buffer.from(body);
  const good = signatureOf(hook.secret, hook.id, now, bytes);
  const bad: readonly (readonly [string, string])[] = [
    ['none', ''],
    ['of another body', signatureOf(hook.secret, hook.id, now, Buffer.from('{"a":2}'))],
    ['with another secret', signatureOf(other.secret, hook.id, now, bytes)],
    ['for another webhook', signatureOf(hook.secret, other.id, now, bytes)],
    ['of the past', signatureOf(hook.secret, hook.id, now - deliveryWindow / 1000 - 5, bytes)],
    ['of the future', signatureOf(hook.secret, hook.id, now + deliveryWindow / 1000 + 5, bytes)],
    ['with another time', good.replace(`t=${now}`, `t=${now + 1}`)],
    ['cut short', good.slice(0, -1)],
  ];
  for (const [what, header] of bad) {
    const { status } = await bench.deliver(hook, body, header);
    expect({ what, status }).toEqual({ what, status: 401 });
  }
  // The same words for a webhook that does not exist: ids cannot be found by asking.
  const unknown = { ...hook, id: '0'.repeat(32) };
  expect(await bench.deliver(unknown, body)).toEqual(await bench.deliver(hook, body, ''));

  await bench.world.tag('web', 'prod', digest('b'));
  expect((await bench.deliver(hook, body, good)).status).toBe(202);
  await bench.world.tag('web', 'prod', digest('c'));
  expect((await bench.deliver(hook, body, good)).status).toBe(200);
  await bench.runs(`${host}/web:prod@${digest('b')}`);
  expect((await bench.deliver(hook, 'x'.repeat(70_000))).status).toBe(413);
  expect((await bench.deliver(hook, '[')).status).toBe(400);
});

test('webhooks are listed without their secrets, sealed at rest, and gone when removed', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  const text = await (await bench.administer('GET')).text();
  expect(JSON.parse(text)).toMatchObject({ webhooks: [{ id: hook.id, createdBy: admin.arn, state: 'active' }] });
  expect(text).not.toContain(hook.secret);
  const stored = await bench.world.storage.records.list('ecs', { prefix: 'webhooks/', limit: 10 });
  expect(stored.records).toHaveLength(1);
  expect(JSON.stringify(stored.records)).not.toContain(hook.secret);
  expect((await bench.administer('DELETE', `/${hook.id}`)).status).toBe(204);
  expect((await bench.administer('DELETE', `/${hook.id}`)).status).toBe(404);
  expect((await bench.deliver(hook)).status).toBe(401);
  const arn = `arn:aws:ecs:us-east-1:${ref.account}:service/${ref.cluster}/web`;
  expect(new Set(bench.asked)).toEqual(
    new Set([`ecs:UpdateService ${arn}`, `ecs:DescribeServices ${arn}`, `for AIDAADMIN ecs:UpdateService ${arn}`]),
  );

  bench.allows = false;
  expect((await bench.administer('POST')).status).toBe(403);
  expect((await fetch(`${bench.url}/slipway/webhooks/${ref.cluster}/web`, { method: 'POST' })).status).toBe(401);
});

test('F9: a webhook whose maker may not update the service any more changes nothing, and says why', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  await bench.world.tag('web', 'prod', digest('b'));
  bench.delegates = false;
  const refused = await bench.deliver(hook);
  expect(refused.status).toBe(403);
  expect(JSON.parse(refused.text)).toEqual({
    code: 'denied',
    message: `The webhook acts in the name of whoever made it, who may not do this any more; make another one. User: ${admin.arn} is not authorized to perform: ecs:UpdateService on resource: arn:aws:ecs:us-east-1:${ref.account}:service/${ref.cluster}/web because the test says so`,
  });
  await vi.waitFor(
    () =>
      expect(bench.audit.at(-1)).toMatchObject({
        operation: 'POST webhook',
        via: 'webhook',
        principal: { arn: admin.arn },
        decisions: [{ action: 'ecs:UpdateService', allowed: false, reason: 'the test says so' }],
        status: 403,
      }),
    { timeout: 60_000 },
  );
  expect(await (await bench.administer('GET')).json()).toMatchObject({
    webhooks: [{ id: hook.id, state: 'stopped', reason: `${admin.arn}: the test says so` }],
  });
  await bench.runs(`${host}/web:prod@${digest('a')}`);

  bench.delegates = true;
  expect((await bench.deliver(hook)).status).toBe(202);
  await bench.runs(`${host}/web:prod@${digest('b')}`);
});

interface Told {
  readonly id: string;
  readonly status: number;
  readonly answer: string;
  readonly attempts: number;
  readonly image?: string;
  readonly by?: string;
}
async function deliveriesOf(bench: Bench): Promise<readonly Told[]> {
  const { webhooks } = (await (await bench.administer('GET')).json()) as { webhooks: { deliveries: Told[] }[] };
  return webhooks.flatMap(({ deliveries }) => deliveries);
}

test('deliveries are remembered with what they were answered, the last twenty, the newest first', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  const image = `${host}/web:v3`;
  const header = signatureOf(hook.secret, hook.id, Math.floor(Date.now() / 1000), Buffer.from(`{"image":"${image}"}`));
  for (let i = 0; i < 2; i++) expect((await bench.deliver(hook, `{"image":"${image}"}`, header)).status).toBe(422);
  expect(await deliveriesOf(bench)).toMatchObject([{ status: 422, image, attempts: 2 }]);
  // What has no good signature is nobody's delivery.
  await bench.deliver(hook, '', header);
  for (let i = 0; i < 21; i++) expect((await bench.deliver(hook, JSON.stringify({ n: i }))).status).toBe(200);
  const told = await deliveriesOf(bench);
  expect([told.length, new Set(told.map(({ id }) => id)).size]).toEqual([20, 20]);
  expect(told[0]).toMatchObject({ status: 200, answer: 'nothing to do', attempts: 1 });
  bench.delegates = false;
  const refused = signatureOf(hook.secret, hook.id, Math.floor(Date.now() / 1000) - 1, Buffer.from('{}'));
  for (let i = 0; i < 3; i++) expect((await bench.deliver(hook, '{}', refused)).status).toBe(403);
  expect((await deliveriesOf(bench))[0]).toMatchObject({
    status: 403,
    answer: `${admin.arn}: the test says so`,
    attempts: 1,
  });
});

test('a delivery is done again with the rights of whoever says so', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  const image = `${host}/web:v2`;
  expect((await bench.deliver(hook, JSON.stringify({ image }))).status).toBe(422);
  const [failed] = await deliveriesOf(bench);
  const path = `/${hook.id}/deliveries/${failed?.id ?? ''}`;
  expect((await bench.administer('POST', path)).status).toBe(422);
  await bench.world.tag('web', 'v2', digest('c'));
  // Whoever made the webhook may have lost the right; this is about the caller.
  bench.delegates = false;
  bench.asked.length = 0;
  expect((await bench.administer('POST', path, 'ASIACI')).status).toBe(202);
  expect(bench.asked).toContain(`ecs:UpdateService arn:aws:ecs:us-east-1:${ref.account}:service/${ref.cluster}/web`);
  await bench.runs(`${host}/web:v2@${digest('c')}`);
  expect((await bench.world.read()).deployments[0]?.cause.detail).toContain(
    `(webhook ${hook.id}, redelivered by ${deployer.arn})`,
  );
  expect(await deliveriesOf(bench)).toMatchObject([
    { id: failed?.id, status: 202, answer: 'started', attempts: 3, image, by: deployer.arn },
  ]);
  for (const other of [`/${hook.id}/deliveries/${'0'.repeat(16)}`, `/${'0'.repeat(32)}/deliveries/${failed?.id ?? ''}`])
    expect([other, (await bench.administer('POST', other)).status]).toEqual([other, 404]);
  bench.allows = false;
  expect((await bench.administer('POST', path)).status).toBe(403);
});

test('administration is signed for ecs: no docker password, no key of another service, no stranger', async () => {
  await using bench = await Bench.open();
  const target = `${bench.url}/slipway/webhooks/${ref.cluster}/web`;
  for (const headers of [
    {},
    { authorization: `Basic ${bench.password}` },
    { authorization: `Bearer ${bench.password}` },
  ]) {
    const answer = await fetch(target, { method: 'POST', headers });
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, null]);
  }
  expect((await bench.administer('POST', '', 'AKIAADMIN', 'ecr')).status).toBe(401);
  expect(await (await bench.administer('GET')).json()).toEqual({ webhooks: [] });
});

test('a webhook that a session made ends with the session, and is narrowed as it is', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make('ASIACI');
  bench.principals.length = 0;
  expect((await bench.deliver(hook)).status).toBe(200);
  // The very session acts, with its policies, and not the role it is of.
  expect(bench.principals.at(-1)).toEqual(deployer);
  bench.ended.add('ASIACI');
  await bench.world.tag('web', 'prod', digest('b'));
  const refused = await bench.deliver(hook);
  expect([refused.status, refused.text]).toEqual([
    403,
    expect.stringContaining('the session has ended or was revoked'),
  ]);
  expect(await (await bench.administer('GET')).json()).toMatchObject({
    webhooks: [{ id: hook.id, state: 'stopped', reason: `${deployer.arn}: the session has ended or was revoked` }],
  });
  await bench.runs(`${host}/web:prod@${digest('a')}`);
});

test('A6: guesses at a webhook are throttled, and its deliveries are not', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  const statuses: number[] = [];
  for (let i = 0; i < 22; i++) statuses.push((await bench.deliver(hook, '', `t=1,v1=${'0'.repeat(64)}`)).status);
  expect([statuses.slice(0, 20), statuses.slice(20)]).toEqual([Array.from({ length: 20 }, () => 401), [429, 429]]);
  expect((await bench.deliver(hook)).status).toBe(200);
});

test('a webhook does not serve a deleted service', async () => {
  await using bench = await Bench.open();
  const hook = await bench.make();
  await deleteService(bench.world.ecs, web, true);
  await bench.world.until(
    () => bench.world.read(),
    (service) => service.status === 'INACTIVE',
  );
  expect((await bench.deliver(hook)).status).toBe(404);
  expect((await bench.administer('POST')).status).toBe(404);
});
