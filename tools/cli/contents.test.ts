import { ECSClient } from '@aws-sdk/client-ecs';
import { expect, test } from 'vitest';
import { describeInstances, instancesIn, servicesIn, tasksIn } from './contents.ts';

interface Input {
  readonly nextToken?: string;
  readonly desiredStatus?: string;
  readonly include?: readonly string[];
  readonly services?: readonly string[];
  readonly tasks?: readonly string[];
  readonly containerInstances?: readonly string[];
}

/** A cluster with so many of everything, 60 on a page of a list, and how many each call described. */
function cluster(count: number) {
  const asked: { readonly count: number; readonly include?: readonly string[] }[] = [];
  const page = ({ nextToken = '0', desiredStatus = '' }: Input) => {
    const from = Number(nextToken);
    const arns = Array.from({ length: Math.min(60, count - from) }, (_, i) => `${desiredStatus}${from + i}`);
    return { arns, ...(from + 60 < count ? { nextToken: String(from + 60) } : {}) };
  };
  const note = (names: readonly string[] = [], { include }: Input = {}): readonly string[] => {
    asked.push({ count: names.length, ...(include === undefined ? {} : { include }) });
    return names;
  };
  const answers: Readonly<Record<string, (input: Input) => unknown>> = {
    ListServicesCommand: (input) => ({ ...page(input), serviceArns: page(input).arns }),
    ListTasksCommand: (input) => ({ ...page(input), taskArns: page(input).arns }),
    ListContainerInstancesCommand: (input) => ({ ...page(input), containerInstanceArns: page(input).arns }),
    DescribeServicesCommand: (input) => ({
      services: note(input.services, input).map((serviceName) => ({ serviceName })),
    }),
    DescribeTasksCommand: (input) => ({ tasks: note(input.tasks).map((taskArn) => ({ taskArn })) }),
    DescribeContainerInstancesCommand: (input) => ({
      containerInstances: note(input.containerInstances).map((ec2InstanceId) => ({ ec2InstanceId })),
    }),
  };
  const client = Object.assign(new ECSClient({ region: 'us-east-1' }), {
    send: ({ constructor: { name }, input }: { constructor: { name: string }; input: Input }) =>
      Promise.resolve(answers[name]?.(input)),
  });
  return { client, asked };
}

test('services of all pages, ten a call, with their tags where these are asked for', async () => {
  const { client, asked } = cluster(65);
  const { found, left } = await servicesIn(client, 'default');
  expect([found.map(({ serviceName }) => serviceName), left]).toEqual([
    Array.from({ length: 65 }, (_, i) => String(i)),
    0,
  ]);
  expect(asked).toEqual([...Array.from({ length: 6 }, () => ({ count: 10 })), { count: 5 }]);
  asked.length = 0;
  const some = await servicesIn(client, 'default', { most: 12, tags: true });
  expect([some.found.length, some.left]).toEqual([12, 53]);
  expect(asked).toEqual([
    { count: 10, include: ['TAGS'] },
    { count: 2, include: ['TAGS'] },
  ]);
});

test('tasks that are wanted, then those that are not any more, a hundred a call', async () => {
  const { client, asked } = cluster(70);
  const { found, left } = await tasksIn(client, 'default', { most: 130, of: ['RUNNING', 'STOPPED'] });
  expect([found[69], found[70], found.length, left]).toEqual([
    { taskArn: 'RUNNING69' },
    { taskArn: 'STOPPED0' },
    130,
    10,
  ]);
  expect(asked.map(({ count }) => count)).toEqual([100, 30]);
  expect((await tasksIn(client, 'default')).found.map(({ taskArn }) => taskArn)).not.toContain('STOPPED0');
});

test('hosts of a cluster, and those that are named; nobody is asked about none', async () => {
  const { client, asked } = cluster(120);
  expect(await instancesIn(client, 'default')).toHaveLength(120);
  expect(await describeInstances(client, 'default', ['a'])).toEqual([{ ec2InstanceId: 'a' }]);
  expect(await describeInstances(client, 'default', [])).toEqual([]);
  expect(asked.map(({ count }) => count)).toEqual([100, 20, 1]);
});

test('a task that ends between two lists is in both, and there once', async () => {
  const listed: Readonly<Record<string, readonly string[]>> = { RUNNING: ['a', 'b'], STOPPED: ['b', 'c'] };
  const client = Object.assign(new ECSClient({ region: 'us-east-1' }), {
    send: ({ input: { desiredStatus = '', tasks } }: { input: Input }) =>
      Promise.resolve(
        tasks === undefined ? { taskArns: listed[desiredStatus] } : { tasks: tasks.map((taskArn) => ({ taskArn })) },
      ),
  });
  const { found, left } = await tasksIn(client, 'default', { of: ['RUNNING', 'STOPPED'] });
  expect([found.map(({ taskArn }) => taskArn), left]).toEqual([['a', 'b', 'c'], 0]);
});
