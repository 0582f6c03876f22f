import { type Clock, systemClock } from '@slipway/storage/clock';
import { describe, expect, test } from 'vitest';

import { ClusterWorld, ref, setter } from '../control/testing/cluster-world.ts';
import { setFollow, updateService } from '../services/index.ts';
import {
  clusterKeys,
  clusterPartition,
  type FollowRule,
  type InstanceRecord,
  type TaskRecord,
  toJson,
} from '../state/index.ts';
import { bodyOf, containersOf, findDefinition } from '../tasks/index.ts';
import { createTriggers, type Triggers, type TriggersOptions } from './index.ts';
import { highestVersion, newestMatch } from './wanted.ts';

const web = { ...ref, service: 'web' };
const host = '127.0.0.1:7500';
const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

const withRefusal = (options: TriggersOptions, refusal: TriggersOptions['images']['refusal']): TriggersOptions =>
  refusal === undefined
    ? options
    : { ...options, images: { resolve: (...parts) => options.images.resolve(...parts), refusal } };

/** A following service on a cluster with a leader, its image pushed once, and triggers that run. */
class Following implements AsyncDisposable {
  readonly world: ClusterWorld;
  readonly triggers: Triggers;

  private constructor(world: ClusterWorld, triggers: Triggers) {
    this.world = world;
    this.triggers = triggers;
  }

  static async open(
    options: {
      rule?: FollowRule | null;
      image?: string;
      attributes?: InstanceRecord['attributes'];
      definition?: Parameters<ClusterWorld['revision']>[1];
      desired?: number;
      triggers?: Partial<TriggersOptions>;
      refusal?: TriggersOptions['images']['refusal'];
    } = {},
  ): Promise<Following> {
    const world = await ClusterWorld.open();
    await world.tag('web', 'prod', digest('a'));
    await world.instance('i1', { attributes: options.attributes ?? [] });
    await world.plane().start();
    const revision = await world.revision(options.image ?? `${host}/web:prod`, options.definition);
    await world.service(revision.arn, { desiredCount: options.desired ?? 1 });
    if (options.rule !== null) await setFollow(world.ecs, web, options.rule ?? { mode: 'tags' }, setter);
    await world.steady();
    // However slow the machine is, no second comparison comes before an event unless it is asked for.
    const levelInterval = options.triggers?.levelInterval ?? 3_600_000;
    const compared = Promise.withResolvers<void>();
    const clock: Clock = {
      ...systemClock,
      sleep: (ms, signal) => {
        if (ms === levelInterval) compared.resolve();
        return systemClock.sleep(ms, signal);
      },
    };
    const triggers = world.triggerOptions({ ...options.triggers, levelInterval, clock });
    const following = new Following(world, createTriggers(withRefusal(triggers, options.refusal)));
    following.triggers.start();
    // From here on, events come first.
    await compared.promise;
    return following;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.triggers.stop();
    await this.world[Symbol.asyncDispose]();
  }

  /** Runs exactly this digest, all of it healthy, nothing else. */
  async reaches(letter: string): Promise<TaskRecord[]> {
    await this.world.until(
      async () => ({ tasks: await this.world.running(), service: await this.world.read() }),
      ({ tasks, service }) =>
        service.steady && tasks.every((task) => task.containers[0]?.image.endsWith(digest(letter)) === true),
    );
    return this.world.running();
  }
}

test('an image that a scan policy refuses is not rolled out, and the events say why, once', async () => {
  await using following = await Following.open({
    triggers: { levelInterval: 50 },
    refusal: async (_account, repository, wanted) =>
      wanted === digest('b') ? { reason: `${repository} has critical findings` } : undefined,
  });
  const { world } = following;
  await world.push('web', 'prod', digest('b'));
  const messages = async (): Promise<string[]> => {
    const page = await world.storage.records.list<{ message: string }>(clusterPartition(ref.account, ref.cluster), {
      prefix: clusterKeys.serviceEvents('web'),
    });
    return page.records.map(({ value }) => value.message).filter((message) => message.includes('does not roll out'));
  };
  await world.until(messages, (found) => found.length > 0);
  // Several level-triggered passes later it has still been said once, and nothing has moved.
  await systemClock.sleep(300);
  expect(await messages()).toEqual([
    `(service web) does not roll out ${host}/web:prod@${digest('b')}: web has critical findings`,
  ]);
  expect((await following.reaches('a')).length).toBe(1);
  await world.push('web', 'prod', digest('c'));
  await following.reaches('c');
});

test('F9: a rule acts with the rights of who set it: UpdateService, and PassRole on the roles of what it starts', async () => {
  const taskRoleArn = `arn:aws:iam::${ref.account}:role/task`;
  await using following = await Following.open({
    triggers: { levelInterval: 50 },
    definition: { taskRoleArn },
    attributes: [{ name: 'com.amazonaws.ecs.capability.task-iam-role' }],
  });
  const { world } = following;
  const service = `arn:aws:ecs:us-east-1:${ref.account}:service/default/web`;
  const told = async (): Promise<string[]> => {
    const page = await world.storage.records.list<{ message: string }>(clusterPartition(ref.account, ref.cluster), {
      prefix: clusterKeys.serviceEvents('web'),
    });
    return page.records.map(({ value }) => value.message).filter((message) => message.includes('does not follow'));
  };
  await world.push('web', 'prod', digest('b'));
  await following.reaches('b');
  expect(new Set(world.asked)).toEqual(
    new Set([`${setter.arn} ecs:UpdateService ${service}`, `${setter.arn} iam:PassRole ${taskRoleArn}`]),
  );
  for (const [action, letter, resource] of [
    ['iam:PassRole', 'c', taskRoleArn],
    ['ecs:UpdateService', 'd', service],
  ] as const) {
    world.refusals.set(action, `no policy allows ${action}`);
    const before = (await told()).length;
    await world.push('web', 'prod', digest(letter));
    const messages = await world.until(told, (found) => found.length > before);
    expect(messages.some((message) => message.includes(`(${action} on ${resource}: no policy allows ${action})`))).toBe(
      true,
    );
    expect(messages.every((message) => message.includes(`${setter.arn}, who set the tag 'slipway:follow'`))).toBe(true);
    await following.reaches('b');
    world.refusals.clear();
    // With the right back, the comparison finds the work that was left.
    await following.reaches(letter);
    await world.push('web', 'prod', digest('b'));
    await following.reaches('b');
  }
});

test('a rule of whom nobody knows who set it does nothing, and the events say what to do', async () => {
  await using following = await Following.open();
  const { world } = following;
  const partition = clusterPartition(ref.account, ref.cluster);
  await world.until(
    async () => {
      const { followedBy: _, ...service } = await world.read();
      const [stored] = (await world.storage.records.list(partition, { prefix: clusterKeys.service('web') })).records;
      return world.storage.records
        .commit(partition, {
          require: [{ key: clusterKeys.service('web'), version: stored?.version ?? 0 }],
          put: [{ key: clusterKeys.service('web'), value: toJson(service) }],
        })
        .then(
          () => true,
          () => false,
        );
    },
    (done) => done,
  );
  await world.push('web', 'prod', digest('b'));
  await world.until(
    async () => world.lines.map(({ message }) => message),
    (lines) =>
      lines.includes(
        "(service web) does not follow web: it is not known who set the tag 'slipway:follow'; set it again.",
      ),
  );
  expect((await world.running())[0]?.containers[0]?.image).toContain(digest('a'));
});

test('a push rolls the service to a revision pinned by digest, with the tag still to be read', async () => {
  await using following = await Following.open();
  const { world } = following;
  await world.push('web', 'prod', digest('b'));
  const [task] = await following.reaches('b');
  expect(task?.containers[0]?.image).toBe(`${host}/web:prod@${digest('b')}`);
  const service = await world.read();
  expect(service.deployments).toMatchObject([
    {
      status: 'PRIMARY',
      rolloutState: 'COMPLETED',
      cause: { kind: 'push', detail: `web:prod ${digest('b')} (pushed by arn:aws:iam::000000000000:user/dev)` },
    },
  ]);
  const revision = await findDefinition(world.ecs, ref.account, { family: 'web' });
  expect(revision).toMatchObject({
    arn: service.taskDefinition,
    revision: 2,
    pinnedFrom: expect.stringMatching(/web:1$/) as string,
    registeredBy: 'arn:aws:iam::000000000000:user/dev',
  });
});

test('push after push: each follows from the pinned revision before, and all remember the origin', async () => {
  await using following = await Following.open();
  for (const letter of ['b', 'c', 'd']) {
    await following.world.push('web', 'prod', digest(letter));
    await following.reaches(letter);
  }
  const revision = await findDefinition(following.world.ecs, ref.account, { family: 'web' });
  expect(revision).toMatchObject({ revision: 4, pinnedFrom: expect.stringMatching(/web:1$/) as string });
});

test('each push of many, one after the other, has its task RUNNING', async () => {
  await using following = await Following.open();
  const { world } = following;
  for (const letter of ['b', 'c', 'd', 'e', 'f', '1', '2']) {
    await world.push('web', 'prod', digest(letter));
    await world.until(
      () => world.running(),
      (tasks) => tasks.some((task) => task.containers[0]?.image.endsWith(digest(letter))),
    );
    await following.reaches(letter);
  }
  const images = (await world.running()).map((task) => task.containers[0]?.image ?? '');
  expect(images.some((image) => image.endsWith(digest('2')))).toBe(true);
});

test('what concerns nobody changes nothing: another repository or tag, a push by digest, the digest that runs, a service that does not follow', async () => {
  await using following = await Following.open();
  await using idle = await Following.open({ rule: null });
  const before = await following.world.read();
  await following.world.push('other', 'prod', digest('b'));
  await following.world.push('web', 'dev', digest('b'));
  await following.world.push('web', undefined, digest('b'));
  await following.world.push('web', 'prod', digest('a'));
  await idle.world.push('web', 'prod', digest('b'));
  await systemClock.sleep(200);
  expect((await following.world.read()).deployments.map(({ id }) => id)).toEqual(
    before.deployments.map(({ id }) => id),
  );
  expect((await idle.world.running())[0]?.containers[0]?.image).toContain(digest('a'));
});

test('an image of another registry is not followed', async () => {
  await using following = await Following.open({ image: 'registry.example.com/web:prod' });
  await following.world.push('web', 'prod', digest('b'));
  await systemClock.sleep(150);
  expect((await following.world.read()).deployments).toHaveLength(1);
  expect((await following.world.running())[0]?.containers[0]?.image).toBe('registry.example.com/web:prod');
});

test('with every event lost, the comparison finds the same work', async () => {
  await using following = await Following.open({ triggers: { levelInterval: 50 } });
  await following.world.tag('web', 'prod', digest('b'));
  await following.reaches('b');
  expect((await following.world.read()).deployments[0]?.cause.detail).toContain('found by comparison');
});

test('a push during a rollout supersedes it', async () => {
  await using following = await Following.open({ desired: 3 });
  const { world } = following;
  world.behaviours.set(digest('b'), { startsIn: 60_000, stopsIn: 1 });
  await world.push('web', 'prod', digest('b'));
  await world.until(
    () => world.tasks(),
    (tasks) => tasks.some((task) => task.containers[0]?.image.endsWith(digest('b'))),
  );
  await world.push('web', 'prod', digest('c'));
  expect(await following.reaches('c')).toHaveLength(3);
  expect((await world.read()).deployments).toHaveLength(1);
});

test('a digest that was rolled back is not deployed again by comparison or by an old event, but by a new push of it', async () => {
  await using following = await Following.open({ triggers: { levelInterval: 30 } });
  const { world } = following;
  world.behaviours.set(digest('b'), { startsIn: 1, exitsAfter: 0, stopsIn: 1 });
  await world.push('web', 'prod', digest('b'));
  const rolledBack = await world.until(
    () => world.read(),
    (service) => service.steady && service.deployments[0]?.cause.kind === 'rollback',
  );
  const count = (await world.tasks()).length;
  await world.storage.events.rewind('deployments', 'registry', `registry/${ref.account}`, 0);
  await systemClock.sleep(300);
  expect((await world.tasks()).length).toBe(count);
  expect((await world.read()).deployments[0]?.id).toBe(rolledBack.deployments[0]?.id);

  world.behaviours.clear();
  await world.push('web', 'prod', digest('b'));
  await following.reaches('b');
  expect((await world.read()).rejected).toEqual([]);
});

test('a late event of an older push does not bring the older image back', async () => {
  await using following = await Following.open();
  await following.world.push('web', 'prod', digest('b'));
  await following.reaches('b');
  await following.world.announce('web', 'prod', digest('a'));
  await systemClock.sleep(200);
  await following.reaches('b');
  expect((await following.world.read()).deployments[0]?.cause.detail).toContain(digest('b'));
});

test('a task definition that its author changes meanwhile is what the next push builds on', async () => {
  await using following = await Following.open();
  const { world } = following;
  const other = await world.revision(`${host}/web:prod`, {}, 96);
  await updateService(world.ecs, web, () => ({ taskDefinition: other.arn }));
  await world.steady();
  await world.push('web', 'prod', digest('b'));
  await following.reaches('b');
  const revision = await findDefinition(world.ecs, ref.account, { family: 'web' });
  expect(containersOf(bodyOf(revision!))[0]).toMatchObject({ memory: 96, image: `${host}/web:prod@${digest('b')}` });
  expect(revision?.pinnedFrom).toBe(other.arn);
});

test('an image that its pusher named by sha512 is rolled out under that name', async () => {
  await using following = await Following.open();
  const { world } = following;
  const pushed = `sha512:${'b'.repeat(128)}`;
  await world.push('web', 'prod', pushed);
  await world.until(
    async () => ({ tasks: await world.running(), service: await world.read() }),
    ({ tasks, service }) => service.steady && tasks[0]?.containers[0]?.image === `${host}/web:prod@${pushed}`,
  );
  expect(world.lines.some(({ message }) => message === 'a push event cannot be read')).toBe(false);
});

test('an event that cannot be read goes to the dead letters and stops nobody', async () => {
  await using following = await Following.open();
  const { world } = following;
  await world.storage.records.commit(`registry/${ref.account}`, {
    announce: [{ topic: 'registry', type: 'image.pushed', data: { account: 'nobody' } }],
  });
  await world.push('web', 'prod', digest('b'));
  await following.reaches('b');
  expect(world.lines.some(({ message }) => message === 'a push event cannot be read')).toBe(true);
});

test('following a pattern takes the matching tag that is pushed', async () => {
  await using following = await Following.open({ rule: { mode: 'pattern', pattern: 'v*' } });
  await following.world.push('web', 'latest', digest('b'));
  await following.world.push('web', 'v7', digest('c'));
  const [task] = await following.reaches('c');
  expect(task?.containers[0]?.image).toBe(`${host}/web:v7@${digest('c')}`);
});

test('following a semver range takes higher versions in the range, and no lower or later major ones', async () => {
  await using following = await Following.open({ rule: { mode: 'semver', range: '^1.2' } });
  const { world } = following;
  await world.push('web', 'v1.3.0', digest('b'));
  await following.reaches('b');
  await world.push('web', 'v1.2.9', digest('c'));
  await world.push('web', 'v2.0.0', digest('d'));
  await world.push('web', 'v1.3.1', digest('e'));
  const [task] = await following.reaches('e');
  expect(task?.containers[0]?.image).toBe(`${host}/web:v1.3.1@${digest('e')}`);
  expect((await world.tasks()).some((one) => one.containers[0]?.image.endsWith(digest('d')))).toBe(false);
});

describe('choosing tags', () => {
  const at = (...tags: string[]) => tags.map((tag, index) => ({ tag, pushedAt: index }));

  test('a pattern is a glob over the whole tag; of several matches the newest push wins', () => {
    expect(newestMatch(at('v2', 'v10', 'xv3', 'v1.rc'), 'v?')).toBe('v2');
    expect(newestMatch(at('v2', 'v10', 'prod'), 'v*')).toBe('v10');
    expect(newestMatch(at('a.b', 'axb'), 'a.b')).toBe('a.b');
    expect(newestMatch(at('prod'), 'v*')).toBeUndefined();
  });

  test('L7: a pattern of many stars is matched without going back', () => {
    expect(newestMatch(at('a'.repeat(128)), `${'a*'.repeat(63)}b`)).toBeUndefined();
    expect(newestMatch(at(`${'a'.repeat(127)}b`), `${'a*'.repeat(63)}b`)).toBe(`${'a'.repeat(127)}b`);
  });

  test('a version is chosen by precedence, not by text; prereleases only when the range names one', () => {
    expect(highestVersion(at('1.10.0', '1.9.0', 'latest'), '^1')).toBe('1.10.0');
    expect(highestVersion(at('1.2.0', '1.3.0-rc.1'), '^1')).toBe('1.2.0');
    expect(highestVersion(at('1.3.0-rc.1'), '>=1.3.0-rc.0')).toBe('1.3.0-rc.1');
    expect(highestVersion(at('2.0.0'), '^1')).toBeUndefined();
  });
});
