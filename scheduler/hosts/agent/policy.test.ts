import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { createOptions } from './create-options.ts';
import { type AgentTask, taskSchema } from '../wire/index.ts';
import {
  agentReach,
  type AllowedEscapes,
  hostPathAllowed,
  imageRefusal,
  refusal as refusalFor,
  stopRefusal,
} from './policy.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-policy-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const refusal = (task: AgentTask, allow: AllowedEscapes, guarded: readonly string[]): string | undefined =>
  refusalFor(task, allow, guarded, reach({ allow }));

const reach = (more: { allow?: AllowedEscapes; registries?: readonly string[] }) =>
  agentReach({
    allow: {},
    ownRegistries: ['registry.lan'],
    endpoint: 'http://127.0.0.1:7500',
    resolve: () => Promise.resolve([]),
    ...more,
  });

function task(hostConfig: object, more: object = {}, config: object = {}): AgentTask {
  return taskSchema.parse({
    arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/abc',
    family: 'web',
    version: '3',
    desiredStatus: 'RUNNING',
    containers: [
      {
        name: 'main',
        image: 'web',
        dockerConfig: { config: JSON.stringify(config), hostConfig: JSON.stringify(hostConfig) },
      },
    ],
    ...more,
  });
}

describe('E1–E5, E7–E9: escape flags', () => {
  test.each<[string, object, AllowedEscapes, object?]>([
    ['privileged', { Privileged: true }, { privileged: true }],
    ['capability SYS_ADMIN', { CapAdd: ['SYS_ADMIN'] }, { capabilities: ['SYS_ADMIN'] }],
    ['capability CAP_BPF', { CapAdd: ['CAP_BPF'] }, { capabilities: ['ALL'] }],
    [
      'device /dev/sda',
      { Devices: [{ PathOnHost: '/dev/sda', PathInContainer: '/dev/sda', CgroupPermissions: 'rwm' }] },
      { devices: ['/dev/sda'] },
    ],
    ['networkMode host', { NetworkMode: 'host' }, { hostNetwork: true }],
    ['pidMode', { PidMode: 'host' }, { hostPid: true }],
    ['pidMode', { PidMode: 'container:abc' }, { hostPid: true }],
    ['ipcMode', { IpcMode: 'host' }, { hostIpc: true }],
    ['pidMode host', {}, { hostPid: true }, { pidMode: 'host' }],
    ['ipcMode host', {}, { hostIpc: true }, { ipcMode: 'host' }],
    [
      'security option seccomp=unconfined',
      { SecurityOpt: ['seccomp=unconfined'] },
      { securityOptions: ['seccomp=unconfined'] },
    ],
    [
      'host path /etc',
      {},
      { hostPaths: ['/etc'] },
      { volumes: [{ name: 'v', type: 'host', host: { sourcePath: '/etc' } }] },
    ],
    [
      'driverOpts',
      {},
      { volumeDriverOptions: true },
      {
        volumes: [
          {
            name: 'v',
            type: 'docker',
            dockerVolumeConfiguration: { driverOpts: { type: 'nfs', o: 'addr=10.0.0.1', device: ':/' } },
          },
        ],
      },
    ],
    [
      'driverOpts of host path /',
      {},
      { hostPaths: ['/'] },
      {
        volumes: [
          {
            name: 'v',
            type: 'docker',
            dockerVolumeConfiguration: { driverOpts: { type: 'none', o: 'bind', device: '/' } },
          },
        ],
      },
    ],
    [
      'the volume driver rexray',
      {},
      { volumeDrivers: ['rexray'] },
      { volumes: [{ name: 'v', type: 'docker', dockerVolumeConfiguration: { driver: 'rexray' } }] },
    ],
    [
      'a file system of EFS',
      {},
      { fileSystems: '/srv/efs' },
      { volumes: [{ name: 'v', type: 'efs', fileSystem: { id: 'fs-0123456789abcdef0', path: '/' } }] },
    ],
  ])('%s is denied unless the operator allows it', (what, hostConfig, allow, more = {}) => {
    expect(refusal(task(hostConfig, more), {}, [])).toContain(`${what} is denied`);
    expect(refusal(task(hostConfig, more), allow, [])).toBeUndefined();
  });

  test.each([
    [{ type: 'none', o: 'bind', device: '/srv/../etc' }, /host path \/srv\/\.\.\/etc/],
    [{ type: 'none', o: 'bind,rbind', device: '/srv/data' }, /volumeDriverOptions/],
    [{ type: 'none', o: 'bind', device: '/srv/data', size: '1' }, /volumeDriverOptions/],
    [{ type: 'overlay', o: 'lowerdir=/etc', device: 'overlay' }, /volumeDriverOptions/],
    [{ type: 'none', o: 'bind' }, /host path/],
  ])('E5: a path of the host that is allowed opens nothing else by options of a driver: %j', (driverOpts, why) => {
    const volumes = [{ name: 'v', type: 'docker', dockerVolumeConfiguration: { driverOpts } }];
    expect(refusal(task({}, { volumes }), { hostPaths: ['/srv/data'] }, [])).toMatch(why);
  });

  test('F11: log drivers send to private addresses only where the operator opens them', () => {
    const to = (address: string) => task({ LogConfig: { Type: 'syslog', Config: { 'syslog-address': address } } });
    expect(refusal(to('udp://10.0.0.5:514'), {}, [])).toMatch(
      /^container main: The log option 'syslog-address' names 10.0.0.5, which is private. .* allow.logAddresses/,
    );
    expect(refusal(to('udp://10.0.0.5:514'), { logAddresses: ['10.0.0.0/24'] }, [])).toBeUndefined();
    expect(refusal(to('unix:///var/run/docker.sock'), { logAddresses: ['0.0.0.0/0'] }, [])).toMatch(/names a socket/);
    expect(refusal(task({ LogConfig: { Type: 'evil-plugin', Config: {} } }), {}, [])).toMatch(/is not one of/);
  });

  test('F11: images come from public registries, from those that the operator opens or names, and from the control plane’s own', () => {
    const refused = (image: string, more: Parameters<typeof reach>[0] = {}, registryAuthentication?: object) => {
      const { containers, ...rest } = task({});
      const named = containers.map((container) => ({ ...container, image, registryAuthentication }));
      return imageRefusal(taskSchema.parse({ ...rest, containers: named }), reach(more));
    };
    expect(refused('quay.io/x')).toBeUndefined();
    expect(refused('quay.io/x', { registries: ['ghcr.io'] })).toMatch(/may not pull from. .* option registries/);
    expect(refused('127.0.0.1:9991/x/y')).toMatch(
      /^container main: The image '127.0.0.1:9991\/x\/y' is on 127.0.0.1:9991, which is private. .* allow.registryAddresses/,
    );
    expect(refused('127.0.0.1:9991/x', { allow: { registryAddresses: ['127.0.0.0/8'] } })).toBeUndefined();
    for (const own of ['127.0.0.1:7500/web', 'Registry.lan/web']) {
      expect(refused(own)).toBeUndefined();
      expect(refused(own, { registries: ['ghcr.io'] })).toBeUndefined();
    }
    // The control plane gives logins for its own registry only.
    expect(refused('10.0.0.5:7500/web')).toMatch(/is private/);
    expect(refused('10.0.0.5:7500/web', {}, { type: 'ecr' })).toBeUndefined();
    expect(refused('169.254.169.254/latest', {}, { type: 'ecr' })).toMatch(/no registry/);
    // A login of the task's own says nothing of where the registry is.
    expect(refused('10.0.0.5:7500/web', {}, { type: 'asm' })).toMatch(/is private/);
  });

  test.each(['/etc', '../x', 'a:b', ''])('a Docker volume is not called %j, which would be a path or more', (name) => {
    const volumes = [{ name, type: 'docker', dockerVolumeConfiguration: { scope: 'shared' } }];
    expect(refusal(task({}, { volumes }), {}, [])).toMatch(/^volume .*: a name consists of/);
  });

  test('what the agent cannot do is refused instead of left out', () => {
    expect(refusal(task({ NetworkMode: 'awsvpc' }), {}, [])).toMatch(/awsvpc is not supported/);
    expect(refusal(task({ NetworkMode: 'container:other' }), {}, [])).toMatch(/is not supported/);
  });

  test('the namespaces of a task are its own, or those of the host: nobody else’s', () => {
    for (const mode of ['container:other', 'shareable', 'ns:/proc/1/ns/pid', 'private']) {
      const allow = { hostPid: true, hostIpc: true };
      expect(refusal(task({}, { pidMode: mode }), allow, [])).toBe(`pidMode ${mode} is not supported.`);
      expect(refusal(task({}, { ipcMode: mode }), allow, [])).toBe(`ipcMode ${mode} is not supported.`);
    }
    expect(refusal(task({}, { pidMode: 'task', ipcMode: 'task' }), {}, [])).toBeUndefined();
    expect(refusal(task({}, { ipcMode: 'none' }), {}, [])).toBeUndefined();
    expect(refusal(task({}, { pidMode: 'none' }), {}, [])).toMatch(/pidMode none/);
  });

  test('looking into processes is a task’s own matter, as on Fargate, unless it sees those of the host', () => {
    const traces = { CapAdd: ['SYS_PTRACE'] };
    expect(refusal(task(traces, { pidMode: 'task' }), {}, [])).toBeUndefined();
    expect(refusal(task(traces), {}, [])).toBeUndefined();
    const denied = /capability SYS_PTRACE is denied/;
    expect(refusal(task(traces, { pidMode: 'host' }), { hostPid: true }, [])).toMatch(denied);
    expect(refusal(task({ ...traces, PidMode: 'host' }), { hostPid: true }, [])).toMatch(denied);
  });

  test('E10, E11: Docker gets what is known and nothing else', () => {
    const crafted = task(
      { Binds: ['/:/host'], Mounts: [{}], UsernsMode: 'host', CgroupParent: '/x', Runtime: 'evil', VolumesFrom: ['x'] },
      {},
      {
        Volumes: { '/a': {} },
        Labels: { 'com.amazonaws.ecs.task-arn': 'forged', 'dev.slipway.installation': 'forged', mine: 'kept' },
        MacAddress: 'x',
      },
    );
    const [container] = crafted.containers;
    if (container === undefined) throw new Error('no container');
    const placement = {
      agentId: 'me',
      installation: undefined,
      cluster: 'default',
      image: 'web',
      bindAddress: '0.0.0.0',
      region: 'us-east-1',
      dns: [],
      parent: undefined,
      storage: undefined,
      hostPorts: new Map([[4, 20_007]]),
      pidsLimit: 4_096,
      mounts: [],
      environment: { AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: '/v2/credentials/mine' },
    };
    const options = createOptions(crafted, container, placement);
    expect(options.Env).toEqual([
      'AWS_REGION=us-east-1',
      'AWS_EXECUTION_ENV=AWS_ECS_EC2',
      'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=/v2/credentials/mine',
    ]);
    expect(options.HostConfig).toEqual({
      NetworkMode: 'bridge',
      PidsLimit: 4096,
      PortBindings: {},
      Binds: [],
      VolumesFrom: [],
      Links: [],
      CpuShares: 2,
      RestartPolicy: { Name: '' },
    });
    expect(options.Labels).toMatchObject({ 'com.amazonaws.ecs.task-arn': crafted.arn, mine: 'kept' });
    // The sizes of a task are its group's; without one, its containers'.
    const sized = { ...crafted, cpu: 0.5, memory: 64 };
    const at = (parent: string | undefined) =>
      createOptions(sized, container, { ...placement, parent }).HostConfig as Record<string, unknown>;
    const alone = at(undefined);
    expect([alone['NanoCpus'], alone['Memory'], alone['CgroupParent']]).toEqual([5e8, 64 * 2 ** 20, undefined]);
    const together = at('/slipway/a/t');
    expect([together['NanoCpus'], together['Memory'], together['CgroupParent']]).toEqual([
      undefined,
      undefined,
      '/slipway/a/t',
    ]);
    const { HostConfig: held } = createOptions(sized, container, { ...placement, storage: 21 });
    expect(held).toMatchObject({ StorageOpt: { size: String(21 * 2 ** 30) } });
    expect(options.Labels).not.toHaveProperty(['dev.slipway.installation']);
    expect(options).not.toHaveProperty('Volumes');
    expect(options.Healthcheck).toEqual({ Test: ['NONE'] });
  });

  test('a port is open for both protocols, and on every port of the host that it is mapped to; a range in its order', () => {
    const dns = taskSchema.parse({
      arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/abc',
      desiredStatus: 'RUNNING',
      containers: [
        {
          name: 'main',
          image: 'dns',
          portMappings: [
            { containerPort: 53, hostPort: 53 },
            { containerPort: 53, hostPort: 53, protocol: 'udp' },
            { containerPort: 80, hostPort: 8080 },
            { containerPort: 80, hostPort: 8081 },
            { containerPort: 80 },
            { containerPortRange: '5060-5062', protocol: 'udp' },
          ],
        },
      ],
    });
    const [container] = dns.containers;
    if (container === undefined) throw new Error('no container');
    const at = {
      agentId: 'me',
      installation: undefined,
      cluster: 'default',
      image: 'dns',
      bindAddress: '0.0.0.0',
      region: 'r',
      environment: {},
      dns: [],
      parent: undefined,
      storage: undefined,
      hostPorts: new Map([
        [4, 20_007],
        [5, 20_010],
      ]),
      pidsLimit: 4_096,
      mounts: [],
    };
    const options = createOptions(dns, container, at);
    const on = (HostPort: string) => ({ HostIp: '0.0.0.0', HostPort });
    expect(options.HostConfig?.PortBindings).toEqual({
      '53/tcp': [on('53')],
      '53/udp': [on('53')],
      '80/tcp': [on('8080'), on('8081'), on('20007')],
      '5060/udp': [on('20010')],
      '5061/udp': [on('20011')],
      '5062/udp': [on('20012')],
    });
    expect(Object.keys(options.ExposedPorts ?? {})).toEqual(Object.keys(options.HostConfig?.PortBindings ?? {}));
  });
});

describe('E4, E6: host paths', () => {
  const inside = join(folder, 'allowed');
  mkdirSync(inside);
  symlinkSync('/etc', join(inside, 'link'));

  test.each([
    [inside, true],
    [join(inside, 'not', 'there', 'yet'), true],
    [`${inside}/`, true],
    [`${inside}/../other`, false],
    [`${inside}-sibling`, false],
    [join(inside, 'link'), false],
    [join(inside, 'link', 'passwd'), false],
    ['relative', false],
  ])('%s: %s', (path, expected) => {
    expect(hostPathAllowed(path, [inside], [])).toBe(expected);
  });

  test('a guarded path needs its own permission, and so does every folder that holds it', () => {
    const secret = join(folder, 'docker.sock');
    expect(hostPathAllowed(secret, [folder], [secret])).toBe(false);
    expect(hostPathAllowed(folder, [folder], [secret])).toBe(false);
    expect(hostPathAllowed(inside, [folder], [secret])).toBe(true);
    expect(hostPathAllowed(secret, [secret], [secret])).toBe(true);
  });

  test('a path of the host leads into the folder of file systems only where the operator names that folder itself', () => {
    const share = join(folder, 'efs');
    mkdirSync(share);
    const mounting = (sourcePath: string) => task({}, { volumes: [{ name: 'v', type: 'host', host: { sourcePath } }] });
    const why = (sourcePath: string, hostPaths: readonly string[]): string | undefined =>
      refusal(mounting(sourcePath), { hostPaths, fileSystems: share }, []);
    for (const path of [folder, share, join(share, 'fs-0123456789abcdef0')])
      expect(why(path, [folder])).toContain(`host path ${path} is denied`);
    expect(why(inside, [folder])).toBeUndefined();
    expect(why(join(share, 'fs-0123456789abcdef0'), [share])).toBeUndefined();
    const device = join(share, 'fs-0123456789abcdef0');
    const binding = task(
      {},
      {
        volumes: [
          {
            name: 'v',
            type: 'docker',
            dockerVolumeConfiguration: { driverOpts: { type: 'none', o: 'bind', device } },
          },
        ],
      },
    );
    expect(refusal(binding, { hostPaths: [folder], fileSystems: share }, [])).toContain('is denied');
  });
});

test('a task that load balancers send requests to is stopped only by an order that knows of them', () => {
  const orders = [{}, { drained: true }, { forced: true }, { drained: false, forced: false }];
  const taken = (task: object): boolean[] => orders.map((order) => stopRefusal(task, order) === undefined);
  expect(taken({})).toEqual([true, true, true, true]);
  expect(taken({ loadBalanced: true })).toEqual([false, true, true, false]);
});
