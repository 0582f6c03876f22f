import { randomBytes } from 'node:crypto';
import { type AccessRequest, type Principal } from '@slipway/auth/contract';
import { signatureHeader, verifyDelivery } from '@slipway/auth/kit';
import type { Outbound } from '@slipway/auth/outbound';
import { openLeases } from '@slipway/storage/leases';
import { describe, expect, test, vi } from 'vitest';

import { account } from '../../balancing/testing/caller.ts';
import { ClusterWorld } from '../../control/testing/cluster-world.ts';
import { serverReach } from '../../reach/index.ts';
import { type SecretRecord, Secrets, secretKeys, secretsPartition } from '../secrets/index.ts';
import { openSettings } from '../testing/open-settings.ts';
import { callKey } from './call-key.ts';
import { AccountRotations, rotationTargets, type RotationPorts } from './index.ts';

const day = 86_400_000;
const hook = 'https://rotate.example.com/db';
const signal = (): AbortSignal => new AbortController().signal;

interface Call {
  readonly step: string;
  readonly id: string;
  readonly token: string;
}

/** Secrets that a webhook of the test rotates, under one leadership. */
async function open() {
  const world = openSettings();
  const { clock, records, sealer, secrets, manager } = world;
  const leases = openLeases(records, clock, Math.random);
  const lines: { readonly level: string; readonly message: string; readonly fields: object }[] = [];
  const note = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  const calls: Call[] = [];
  /** What the webhook does; it may use the API as any client. */
  const answer: { do: (call: Call) => Promise<number> } = { do: () => Promise.resolve(204) };
  let key = '';
  const fetch: Outbound['fetch'] = async (url, options) => {
    const body = options?.body as Buffer;
    const event = JSON.parse(body.toString()) as { Step: string; SecretId: string; ClientRequestToken: string };
    const headers = options?.headers as Record<string, string>;
    const id = headers['slipway-execution'] ?? '';
    const signed = verifyDelivery(headers[signatureHeader], { secret: key, id, body, now: clock.now() });
    expect([url, signed]).toEqual([hook, expect.any(String)]);
    const call = { step: event.Step, id, token: event.ClientRequestToken };
    calls.push(call);
    return new Response(null, { status: await answer.do(call) });
  };
  const ports: RotationPorts = {
    records,
    clock,
    random: randomBytes,
    region: 'us-east-1',
    reach: serverReach({ ownHost: () => false }),
    secrets,
    leases,
    sealer,
    log: { info: note('info'), warn: note('warn'), error: note('error') },
    outbound: { fetch },
    authorizer: world.authorizer,
    placer: { place: () => Promise.reject(new Error('no task is placed here')) } as unknown as RotationPorts['placer'],
  };
  await manager.call('CreateSecret', { Name: 'db', SecretString: 'first' });
  key = await callKey(ports, account, (await secrets.find(account, 'db')) as SecretRecord);
  const lead = async () => {
    const held = await leases.acquire(secretsPartition(account), secretKeys.rotator, { signal: signal() });
    return { held, rotations: new AccountRotations(ports, account, held) };
  };
  const led = await lead();
  const turn = async (rotations = led.rotations): Promise<void> => {
    await rotations.look(signal());
    await rotations.idle();
  };
  const rotate = (more: object = {}) =>
    manager.call('RotateSecret', {
      SecretId: 'db',
      RotationLambdaARN: hook,
      RotationRules: { AutomaticallyAfterDays: 30 },
      ...more,
    });
  const put = async ({ token }: Call, SecretString: string): Promise<void> => {
    const given = { SecretId: 'db', ClientRequestToken: token, SecretString, VersionStages: ['AWSPENDING'] };
    await manager.call('PutSecretValue', given);
  };
  const value = async (VersionStage = 'AWSCURRENT'): Promise<string> =>
    (await manager.call('GetSecretValue', { SecretId: 'db', VersionStage })).SecretString;
  const described = () => manager.call('DescribeSecret', { SecretId: 'db' });
  return { ...world, calls, answer, lines, lead, led, turn, rotate, put, value, described };
}

test('the key of its calls is of one secret: a later one of the name has its own, and one that is gone gets none', async () => {
  const { manager, secrets, records, sealer } = await open();
  const ports = { records, random: randomBytes, sealer };
  const found = async (): Promise<SecretRecord> => (await secrets.find(account, 'db')) as SecretRecord;
  const first = await found();
  const before = await callKey(ports, account, first);
  expect(await callKey(ports, account, first)).toBe(before);
  const key = secretKeys.callKey('db');
  const stored = await records.get<{ sealed: string }>(secretsPartition(account), key);
  await manager.call('DeleteSecret', { SecretId: 'db', ForceDeleteWithoutRecovery: true });
  await expect(callKey(ports, account, first)).rejects.toThrow(/can't find the specified secret/);
  await manager.call('CreateSecret', { Name: 'db', SecretString: 'other' });
  // Left behind by whoever asked for it while the first one was deleted, with what rows have today and as they were.
  for (const value of [stored?.value, { sealed: stored?.value.sealed }]) {
    await records.commit(secretsPartition(account), { put: [{ key, value: value as never }] });
    const after = await callKey(ports, account, await found());
    expect([after === before, await callKey(ports, account, await found())]).toEqual([false, after]);
  }
});

describe('a rotation by a webhook', () => {
  test('takes the four steps under one version, which is AWSPENDING and then AWSCURRENT', async () => {
    const world = await open();
    const { answer, manager } = world;
    const before: string[] = [];
    answer.do = async (call) => {
      if (call.step === 'createSecret') {
        before.push(await manager.refusal('GetSecretValue', { SecretId: 'db', VersionStage: 'AWSPENDING' }));
        await world.put(call, 'second');
      }
      before.push(`${call.step}: ${await world.value()}`);
      return 200;
    };
    const { VersionId } = await world.rotate();
    expect((await world.described()).VersionIdsToStages[VersionId]).toEqual(['AWSPENDING']);
    expect(await manager.refusal('RotateSecret', { SecretId: 'db' })).toBe(
      "InvalidRequestException: A previous rotation isn't complete. That rotation will be reattempted.",
    );
    world.clock.at += 1000;
    await world.turn();
    expect(world.calls.map(({ step, token }) => [step, token])).toEqual(
      ['createSecret', 'setSecret', 'testSecret', 'finishSecret'].map((step) => [step, VersionId]),
    );
    expect(new Set(world.calls.map(({ id }) => id)).size).toBe(4);
    expect(before).toEqual([
      expect.stringMatching(/^ResourceNotFoundException/),
      ...['createSecret', 'setSecret', 'testSecret', 'finishSecret'].map((step) => `${step}: first`),
    ]);
    expect([await world.value(), await world.value('AWSPREVIOUS')]).toEqual(['second', 'first']);
    expect(await world.described()).toMatchObject({
      RotationEnabled: true,
      RotationLambdaARN: hook,
      RotationRules: { AutomaticallyAfterDays: 30 },
      LastRotatedDate: world.clock.at / 1000,
      NextRotationDate: world.clock.at / 1000 + 30 * 86_400,
    });
    expect(world.lines).toMatchObject([{ level: 'info', message: 'rotated a secret' }]);
    await world.turn();
    expect(world.calls).toHaveLength(4);
  });

  test('comes again when it is due, and not after it was cancelled', async () => {
    const world = await open();
    world.answer.do = async (call) => {
      if (call.step === 'createSecret') await world.put(call, `value ${world.calls.length}`);
      return 200;
    };
    await world.rotate({
      RotationRules: { ScheduleExpression: 'rate(10 days)', Duration: '2h' },
      RotateImmediately: false,
    });
    await world.turn();
    expect(world.calls).toEqual([]);
    world.clock.at += 10 * day;
    await world.turn();
    expect([world.calls.length, await world.value()]).toEqual([4, 'value 1']);
    world.clock.at += 10 * day;
    await world.turn();
    expect([world.calls.length, await world.value()]).toEqual([8, 'value 5']);
    await world.manager.call('CancelRotateSecret', { SecretId: 'db' });
    expect((await world.described()).RotationEnabled).toBe(false);
    world.clock.at += 100 * day;
    await world.turn();
    expect(world.calls).toHaveLength(8);
  });

  test('that is far off makes nobody read all secrets, whatever else changes', async () => {
    const world = await open();
    const all = vi.spyOn(world.secrets, 'all');
    await world.turn();
    await world.manager.call('CreateSecret', { Name: 'other', SecretString: 'x' });
    await world.turn();
    expect(all).toHaveBeenCalledTimes(1);
    await world.rotate({ RotateImmediately: false });
    await world.turn();
    world.clock.at += 30 * day - 1;
    await world.manager.call('PutSecretValue', { SecretId: 'db', SecretString: 'y' });
    await world.turn();
    expect([all.mock.calls.length, world.calls.length]).toEqual([2, 0]);
    world.clock.at += 1;
    await world.turn();
    expect([all.mock.calls.length, world.calls.length]).toEqual([3, 1]);
  });

  test('that fails begins anew under the same version, later and later, is given up, and says why', async () => {
    const world = await open();
    world.answer.do = () => Promise.resolve(500);
    const { VersionId } = await world.rotate();
    await world.turn();
    await world.turn();
    expect(world.calls).toHaveLength(1);
    for (const seconds of [30, 60, 120, 240, 480]) {
      world.clock.at += seconds * 1000 - 1;
      await world.turn();
      const count = world.calls.length;
      world.clock.at += 1;
      await world.turn();
      expect(world.calls).toHaveLength(count + 1);
    }
    expect(new Set(world.calls.map(({ token }) => token))).toEqual(new Set([VersionId]));
    expect(world.lines.at(-1)).toMatchObject({
      level: 'warn',
      message: 'gave up the rotation of a secret',
      fields: { reason: 'the webhook answered with HTTP status 500', step: 'createSecret' },
    });
    const secret = await world.secrets.find(account, 'db');
    expect(secret?.rotation?.failure?.reason).toBe('the webhook answered with HTTP status 500');
    expect(await world.value()).toBe('first');
    world.answer.do = async (call) => {
      if (call.step === 'createSecret') await world.put(call, 'second');
      return 200;
    };
    world.clock.at += 31 * day;
    await world.turn();
    expect(await world.value()).toBe('second');
    expect((await world.secrets.find(account, 'db'))?.rotation?.failure).toBeUndefined();
  });

  test('that cannot begin is tried again when the next one is due, and says why', async () => {
    const world = await open();
    await world.rotate({ RotationRules: { ScheduleExpression: 'cron(0 0/4 * * ? *)' }, RotateImmediately: false });
    // No version goes: all of them have a label, or are younger than a day.
    for (let version = 1; version < 100; version += 1)
      await world.manager.call('PutSecretValue', { SecretId: 'db', SecretString: `v${version}` });
    world.clock.at += 4 * 3_600_000;
    for (let turns = 0; turns < 3; turns += 1) await world.turn();
    const failed = world.lines.filter(({ message }) => message === 'the rotation of a secret could not begin');
    expect(failed).toMatchObject([
      { level: 'warn', fields: { reason: expect.stringMatching(/at most 100 versions/) } },
    ]);
    const rotation = (await world.secrets.find(account, 'db'))?.rotation;
    expect(rotation?.failure?.reason).toMatch(/at most 100 versions/);
    expect([world.calls, (rotation?.nextAt ?? 0) > world.clock.at]).toEqual([[], true]);
  });

  test('that brings no value does not become AWSCURRENT', async () => {
    const world = await open();
    await world.rotate();
    await world.turn();
    expect([world.calls.length, await world.value()]).toEqual([1, 'first']);
    expect(world.lines[0]?.fields).toMatchObject({ reason: expect.stringMatching(/without a value/) });
  });

  test('is gone on with by the next leader, and the one before writes nothing any more', async () => {
    const world = await open();
    await world.rotate();
    const next: { rotations?: AccountRotations } = {};
    world.answer.do = async (call) => {
      if (call.step === 'createSecret') await world.put(call, 'second');
      if (call.step === 'setSecret' && next.rotations === undefined) {
        // While the first leader waits for the answer another one takes over.
        await world.led.held.release();
        next.rotations = (await world.lead()).rotations;
        await world.turn(next.rotations);
      }
      return 200;
    };
    await world.turn();
    expect(await world.value()).toBe('second');
    expect(world.calls.map(({ step }) => step)).toEqual([
      'createSecret',
      'setSecret',
      'setSecret',
      'testSecret',
      'finishSecret',
    ]);
    expect(world.calls[1]?.id).toBe(world.calls[2]?.id);
  });
});

describe('RotateSecret', () => {
  test.each([
    [
      'nobody who rotates',
      { RotationLambdaARN: undefined },
      /^InvalidRequestException: No Lambda rotation function ARN/,
    ],
    ['no rules', { RotationRules: undefined }, /^InvalidParameterException: RotationRules must say/],
    [
      'two rules',
      { RotationRules: { AutomaticallyAfterDays: 1, ScheduleExpression: 'rate(1 day)' } },
      /^InvalidParameterException: RotationRules .* not both/,
    ],
    ['too many turns', { RotationRules: { ScheduleExpression: 'rate(3 hours)' } }, /every 4 hours at most/],
    ['every minute', { RotationRules: { ScheduleExpression: 'cron(* * * * ? *)' } }, /every 4 hours at most/],
    ['twice on some day', { RotationRules: { ScheduleExpression: 'cron(0 0,2 1 1 ? *)' } }, /every 4 hours at most/],
    ['no schedule', { RotationRules: { ScheduleExpression: 'cron(1)' } }, /^InvalidParameterException: Invalid Sched/],
    [
      'a window that is too long',
      { RotationRules: { AutomaticallyAfterDays: 1, Duration: '25h' } },
      /between 1h and 24h/,
    ],
    ['somebody unknown', { RotationLambdaARN: 'unknown' }, /^InvalidRequestException: unknown/],
  ])('with %s is refused', async (_what, more, why) => {
    const world = await open();
    const given = { SecretId: 'db', RotationLambdaARN: hook, RotationRules: { AutomaticallyAfterDays: 30 }, ...more };
    expect(await world.manager.refusal('RotateSecret', given)).toMatch(why);
  });
});

describe('a rotation by a task', () => {
  test('stays in the cluster in which who named it was asked for the right to run it', async () => {
    const world = await open();
    const later = { RotateImmediately: false };
    const cluster = async () => (await world.secrets.find(account, 'db'))?.rotation?.cluster;
    await world.rotate(later);
    const Tags = [{ Key: 'slipway:rotation-cluster', Value: 'other' }];
    await world.manager.call('TagResource', { SecretId: 'db', Tags });
    await world.manager.call('RotateSecret', { SecretId: 'db', ...later });
    expect(await cluster()).toBe('default');
    await world.rotate(later);
    expect(await cluster()).toBe('other');
  });

  test('runs one for each step with the rights of who named it, and its exit code decides', async () => {
    await using cluster = await ClusterWorld.open();
    await cluster.instance('i1', { attributes: [{ name: 'com.amazonaws.ecs.capability.task-iam-role' }] });
    const plane = cluster.plane({});
    await plane.start();
    const revision = await cluster.revision('rotate:1');
    cluster.behaviours.set('rotate', { startsIn: 1, exitsAfter: 1, stopsIn: 1, exitCode: 0 });
    const { authorizer, log } = cluster.triggerOptions();
    const { keys, sealer } = openSettings();
    const secrets = new Secrets({ ...cluster.ecs, keys, sealer });
    const targets = rotationTargets({ ...cluster.ecs, checkUrl: (url) => new URL(url) });
    const principal: Principal = { type: 'user', account, arn: `arn:aws:iam::${account}:user/ada`, id: 'AIDAADA' };
    const call = { principal, account } as Parameters<typeof targets.check>[0];
    const actions = (list: readonly AccessRequest[]): string[] => list.map(({ action }) => action);
    expect(actions(await targets.access(call, revision.arn, 'default'))).toEqual(['ecs:RunTask']);
    await expect(targets.check(call, 'arn:aws:lambda:us-east-1:1:function:x')).rejects.toThrow(
      'There are no Lambda functions here: name a webhook',
    );
    const asArn = 'arn:aws:slipway:us-east-1:000000000000:webhook/';
    for (const target of ['https://a.example.com/x', `${asArn}https://a.example.com/x`])
      expect(await targets.check(call, target)).toEqual(principal);
    await expect(targets.check(call, `${asArn}http://a.example.com`)).rejects.toThrow('rotates nothing here');
    const by = await targets.check(call, revision.arn);
    const value = { kind: 'string', text: 'first' } as const;
    await secrets.create(account, { name: 'db', tags: {} }, { id: 'a'.repeat(32), value });
    const token = 'b'.repeat(32);
    const now = cluster.ecs.clock.now();
    await secrets.beginRotation(account, 'db', token, () => ({
      enabled: true,
      target: revision.arn,
      by,
      cluster: 'default',
      rules: { days: 1 },
      since: now,
      run: { token, step: 'createSecret', attempt: 1, startedAt: now, until: now + day, tryAt: now },
    }));
    const stages = ['AWSPENDING'];
    await secrets.put(account, 'db', { id: token, value: { kind: 'string', text: 'second' }, stages });
    const { leases } = cluster.storage;
    const held = await leases.acquire(secretsPartition(account), secretKeys.rotator, { signal: signal() });
    /** Time goes on by itself here only as far as tasks need it. */
    let ahead = 0;
    const clock = { ...cluster.ecs.clock, now: () => cluster.ecs.clock.now() + ahead };
    const ports = { ...cluster.ecs, clock, secrets, leases, log, sealer, authorizer, placer: plane.placer };
    const outbound = { fetch: () => Promise.reject(new Error('no webhook is called')) };
    const rotations = new AccountRotations({ ...ports, outbound }, account, held);
    await cluster.until(
      async () => {
        const run = (await secrets.find(account, 'db'))?.rotation?.run;
        const task = (await cluster.tasks()).find(({ id }) => id === run?.task);
        // However long the task takes here, it takes no time of the rotation's.
        if (task === undefined || task.lastStatus === 'STOPPED') ahead += 5_000;
        await rotations.look(signal());
        await rotations.idle();
        return (await secrets.find(account, 'db'))?.rotation?.lastAt;
      },
      (lastAt) => lastAt !== undefined,
    );
    const secret = (await secrets.find(account, 'db')) as SecretRecord;
    expect((await secrets.value(account, secret, {}, () => Promise.resolve())).value.text).toBe('second');
    const tasks = (await cluster.tasks()).filter(({ startedBy }) => startedBy?.startsWith('secret-rotation/') === true);
    const told = tasks.map(
      ({ overrides }) =>
        (
          overrides as { containerOverrides: { environment: { name: string; value: string }[] }[] } | undefined
        )?.containerOverrides[0]?.environment.find(({ name }) => name === 'SLIPWAY_ROTATION_STEP')?.value,
    );
    expect(new Set(told)).toEqual(new Set(['createSecret', 'setSecret', 'testSecret', 'finishSecret']));
    expect(new Set(cluster.asked)).toEqual(new Set([`${principal.arn} ecs:RunTask ${revision.arn}`]));
  }, 120_000);
});
