import { expect, test } from 'vitest';

import { account } from '../../balancing/testing/caller.ts';
import { ClusterWorld, ref } from '../../control/testing/cluster-world.ts';
import { changeService, primaryOf } from '../../services/index.ts';
import { withTags } from '../../services/follow.ts';
import { Parameters } from '../parameters/index.ts';
import { Secrets } from '../secrets/index.ts';
import { openSettings } from '../testing/open-settings.ts';
import { calm, restartServices } from './restarts.ts';

const tag = 'slipway:restart-on-secrets';

/** A service that is given a secret and a parameter, in a cluster that nobody leads: its deployments are what was begun. */
async function open(world: ClusterWorld, tags: Readonly<Record<string, string>>) {
  const clock = { ...world.ecs.clock, at: world.ecs.clock.now() + 1000, now: (): number => clock.at };
  const { keys, sealer } = openSettings();
  const ports = { ...world.ecs, clock, keys, sealer };
  const [secrets, parameters] = [new Secrets(ports), new Parameters(ports)];
  const value = (text: string, id: string) => ({ id: id.repeat(32), value: { kind: 'string' as const, text } });
  const secret = await secrets.create(account, { name: 'db', tags: {} }, value('first', 'a'));
  const arn = secrets.arn(account, secret);
  const put = (text: string) =>
    parameters.put(account, '/mode', text, () => ({
      tags: {},
      version: { type: 'String', tier: 'Standard', modifiedBy: 'tester' },
    }));
  await put('fast');
  const revision = await world.revision('app:1', {
    executionRoleArn: `arn:aws:iam::${account}:role/execution`,
    containerDefinitions: [
      {
        name: 'app',
        image: 'app:1',
        memory: 64,
        secrets: [
          { name: 'PASSWORD', valueFrom: `${arn}:password::` },
          { name: 'MODE', valueFrom: '/mode' },
        ],
      },
    ],
  });
  await world.service(revision.arn);
  await changeService(world.ecs, { ...ref, service: 'web' }, (service) => ({
    ...withTags(service, tags, undefined),
    deployments: service.deployments.map((one) => ({ ...one, createdAt: clock.at + 1 })),
  }));
  const look = async (): Promise<string | undefined> => {
    const { log } = world.triggerOptions();
    await restartServices({ ...ports, secrets, parameters, leases: world.storage.leases, log }, account);
    const primary = primaryOf(await world.read());
    return primary?.cause.kind === 'secret' ? primary.cause.detail : undefined;
  };
  const id = async (): Promise<string | undefined> => primaryOf(await world.read())?.id;
  const change = (text: string, letter: string) => secrets.put(account, 'db', value(text, letter));
  return { clock, secrets, look, id, change, put, arn, revision };
}

test('a service with the tag rolls once when its secrets have changed and are calm, to the same revision', async () => {
  await using world = await ClusterWorld.open();
  const { clock, look, id, change, put, arn, revision } = await open(world, { [tag]: 'true' });
  clock.at += 10 * calm;
  expect(await look()).toBeUndefined();
  await change('second', 'b');
  expect(await look()).toBeUndefined();
  clock.at += calm - 1;
  await put('slow');
  clock.at += calm - 1;
  expect(await look()).toBeUndefined();
  clock.at += 1;
  expect(await look()).toBe(`new values of ${arn}:password::, /mode`);
  expect(primaryOf(await world.read())?.taskDefinition).toBe(revision.arn);
  const begun = await id();
  clock.at += 10 * calm;
  await look();
  expect(await id()).toBe(begun);
});

test('what is no new value begins nothing, and moving AWSCURRENT back does', async () => {
  await using world = await ClusterWorld.open();
  const { clock, secrets, look, id, change } = await open(world, { [tag]: 'true' });
  await change('second', 'b');
  clock.at += 2 * calm;
  await look();
  const begun = await id();
  await secrets.change(account, 'db', (secret) => ({ ...secret, description: 'another' }));
  clock.at += 2 * calm;
  await look();
  expect(await id()).toBe(begun);
  await secrets.change(account, 'db', (secret) => ({
    ...secret,
    versions: secret.versions.map((one) => ({
      ...one,
      stages: [one.id.startsWith('a') ? 'AWSCURRENT' : 'AWSPREVIOUS'],
    })),
  }));
  clock.at += 2 * calm;
  await look();
  expect(await id()).not.toBe(begun);
});

test('values with which its deployment failed roll the service no second time, and the next ones do', async () => {
  await using world = await ClusterWorld.open();
  const { clock, look, id, change } = await open(world, { [tag]: 'true' });
  const old = await id();
  clock.at += calm;
  await change('wrong', 'b');
  clock.at += 2 * calm;
  await look();
  const failed = await id();
  expect(failed).not.toBe(old);
  // As the circuit breaker does: what ran before is PRIMARY again, under its own id and with the time at which it began.
  await changeService(world.ecs, { ...ref, service: 'web' }, (service) => {
    const { createdAt } = primaryOf(service)!;
    const went = {
      id: failed!,
      createdAt,
      failedTasks: 3,
      rolloutState: 'FAILED',
      rolloutStateReason: '',
      updatedAt: clock.at,
    } as const;
    return {
      ...service,
      deployments: service.deployments
        .filter((one) => one.id === old)
        .map((one) => ({ ...one, status: 'PRIMARY' as const, cause: { kind: 'rollback' as const, failed: went } })),
    };
  });
  clock.at += 10 * calm;
  await look();
  expect(await id()).toBe(old);
  await change('right', 'c');
  clock.at += 2 * calm;
  await look();
  expect([old, failed]).not.toContain(await id());
});

test.each([{}, { [tag]: 'false' }])('a service with the tags %j is left alone', async (tags) => {
  await using world = await ClusterWorld.open();
  const { clock, look, change } = await open(world, tags);
  await change('second', 'b');
  clock.at += 10 * calm;
  expect(await look()).toBeUndefined();
});

test('the tag has two values, and is for services that ECS deploys', async () => {
  await using world = await ClusterWorld.open();
  await open(world, {});
  const service = await world.read();
  expect(() => withTags(service, { [tag]: 'yes' }, undefined)).toThrow("use 'true' or 'false'");
  const other = { ...service, controller: 'CODE_DEPLOY' as const };
  expect(() => withTags(other, { [tag]: 'true' }, undefined)).toThrow('deployed by that alone');
});
