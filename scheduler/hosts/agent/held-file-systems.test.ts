import Docker from 'dockerode';
import { afterEach, beforeEach, expect, test } from 'vitest';

import { FakeEngine } from '../testing/fake-engine.ts';
import { taskSchema } from '../wire/index.ts';
import { createOptions } from './create-options.ts';
import { FileSystemError } from './file-systems/index.ts';
import { HeldFileSystems } from './held-file-systems.ts';
import { holderName, withHolder, withPause } from './pause.ts';

let engine: FakeEngine;
beforeEach(async () => {
  engine = await FakeEngine.open();
});
afterEach(() => engine[Symbol.asyncDispose]());

const id = 'fs-0123456789abcdef0';
const task = withPause(
  withHolder(
    taskSchema.parse({
      arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/abc',
      family: 'web',
      version: '3',
      desiredStatus: 'RUNNING',
      networkMode: 'awsvpc',
      containers: [
        { name: 'main', image: 'busybox', mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }] },
        { name: 'beside', image: 'busybox' },
      ],
      volumes: [
        {
          name: 'data',
          type: 'efs',
          fileSystem: { id, path: '/web', readOnly: true, user: { uid: 7, gid: 8, secondaryGids: [9] } },
        },
      ],
    }),
  ),
);
const held = (mountsOf: (pid: number) => Promise<string>, fileSystems: string | undefined = '/srv/efs') =>
  new HeldFileSystems({
    docker: new Docker(engine.docker),
    agentId: 'me',
    options: { allow: { fileSystems } } as never,
    mountsOf,
  });
const mounted = (root: string) => () =>
  Promise.resolve(
    `1 2 254:0 /srv/efs /share rw - ext4 /dev/vda rw\n1 2 254:0 ${root} /volumes/0 rw - ext4 /dev/vda rw\n`,
  );

/** Where containers of the task are made. */
const at = {
  agentId: 'me',
  installation: undefined,
  cluster: 'default',
  image: 'pause',
  bindAddress: '0.0.0.0',
  environment: {},
  region: 'us-east-1',
  dns: [],
  hostPorts: new Map<number, number>(),
  parent: undefined,
  storage: undefined,
  pidsLimit: 10,
  mounts: [],
  share: 'share',
};

test('what holds the file systems comes first, on no network, with the whole share beside them, and for reading', () => {
  const holder = task.containers.find(({ name }) => name === holderName);
  if (holder === undefined) throw new Error('no container holds the file systems');
  const made = createOptions(task, holder, at);
  expect(made.HostConfig).toMatchObject({
    NetworkMode: 'none',
    Binds: ['share:/share:ro,nocopy', 'ecs-web-3-data-abc:/volumes/0:ro,nocopy'],
  });
  for (const container of task.containers.filter(({ name }) => name === 'main' || name === 'beside'))
    expect(container.dependsOn).toContainEqual({ containerName: holderName, condition: 'START' });
  const [main] = task.containers.filter(({ name }) => name === 'main');
  if (main === undefined) throw new Error('the task has no container main');
  expect(createOptions(task, main, at)).toMatchObject({
    User: '7:8',
    HostConfig: {
      Binds: ['ecs-web-3-data-abc:/data:ro,nocopy'],
      GroupAdd: ['9'],
      SecurityOpt: ['no-new-privileges'],
    },
  });
});

test('where nobody may be root, no program of an image makes its user root', () => {
  const rootless = taskSchema.parse({
    ...task,
    networkMode: 'none',
    containers: [
      {
        name: 'main',
        image: 'busybox',
        mountPoints: [{ sourceVolume: 'data', containerPath: '/data' }],
        dockerConfig: {
          config: '{"User":"1000"}',
          hostConfig: '{"SecurityOpt":["no-new-privileges:false","seccomp=x.json"]}',
        },
      },
    ],
    volumes: [{ name: 'data', type: 'efs', fileSystem: { id, path: '/', noRoot: true } }],
  });
  const [main] = rootless.containers;
  if (main === undefined) throw new Error('the task has no container');
  expect(createOptions(rootless, main, at)).toMatchObject({
    User: '1000',
    HostConfig: { SecurityOpt: ['seccomp=x.json', 'no-new-privileges'] },
  });
});

test('tasks that look into one file system at once do so one behind the other, and none finds its volume taken away', async () => {
  // Nothing is there yet, and everything can be made.
  let atOnce = 0;
  engine.fail = (request) => {
    const volume = [...engine.volumes.keys()].find((name) => name.endsWith(id));
    const open = [...engine.containers.values()].filter(({ config }) =>
      config.HostConfig?.Binds?.some((bind) => bind.startsWith(`${volume}:`)),
    );
    atOnce = Math.max(atOnce, open.length);
    if (request.startsWith('HEAD ')) return 'text';
    return request.startsWith('PUT ') ? 'garbage' : undefined;
  };
  const creation = { uid: 7, gid: 8, permissions: '0750' };
  const tasks = ['a', 'b', 'c'].map((name) =>
    taskSchema.parse({
      ...task,
      arn: `arn:aws:ecs:us-east-1:000000000000:task/default/${name}`,
      containers: [],
      volumes: [{ name: 'data', type: 'efs', fileSystem: { id, path: '/web', creation } }],
    }),
  );
  const names = await Promise.all(tasks.map((one) => held(mounted('/')).prepare(one, 'pause')));
  expect(atOnce).toBe(1);
  expect(new Set(names).size).toBe(1);
  // The whole share stays for the containers that hold file systems.
  expect([...engine.volumes.keys()]).toEqual([names[0]]);
  expect(engine.containers.size).toBe(0);
});

test('a task goes on with what is its own alone', async () => {
  await expect(held(mounted(`/srv/efs/${id}/web`)).check(task, 1)).resolves.toBeUndefined();
  // A link that was put there after it was looked for.
  const led = held(mounted('/etc')).check(task, 1);
  await expect(led).rejects.toThrow(/leads out of the file system, by a symbolic link or another mount/);
  await expect(led).rejects.toThrow(FileSystemError);
  await expect(held(() => Promise.reject(new Error('EACCES'))).check(task, 1)).rejects.toThrow(/runs as root.*EACCES/);
});

test('an engine that cannot use the share is told of in the words of the mount helper', async () => {
  engine.fail = (request) => (request.startsWith('POST /containers/create') ? 'refuse' : undefined);
  const failed = held(mounted('/')).prepare(task, 'pause');
  await expect(failed).rejects.toThrow(
    'the share /srv/efs of this container instance cannot be used: injected failure',
  );
  await expect(failed).rejects.toMatchObject({
    reason: expect.stringMatching(
      /^ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: the share/,
    ) as unknown,
  });
});
