import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type AgentFlags, type AgentSettings, agentSettings, stateFolder } from './agent-settings.ts';

const keys = { AWS_ACCESS_KEY_ID: 'AKIA', AWS_SECRET_ACCESS_KEY: 'secret' };
const server = { AWS_ENDPOINT_URL: 'https://slipway.test' };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-agent-settings-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** What flags, the environment and a file come to; without what is needed of a server and keys. */
async function settings(
  parts: { flags?: AgentFlags; environment?: Record<string, string>; file?: string } = {},
): Promise<AgentSettings> {
  const config = join(folder, 'ecs.config');
  await writeFile(config, parts.file ?? '');
  return agentSettings({ config, ...parts.flags }, { ...keys, ...server, ...parts.environment });
}

test('a file of amazon-ecs-agent sets this agent up', async () => {
  const { options, ignored } = await settings({
    environment: { AWS_ENDPOINT_URL: '', AWS_ACCESS_KEY_ID: '' },
    file: `
# written by user data
ECS_CLUSTER=prod
ECS_BACKEND_HOST=slipway.example.com
ECS_INSTANCE_ATTRIBUTES={"stack":"blue","ecs.availability-zone":"rack-7"}
ECS_CONTAINER_INSTANCE_TAGS={"team":"web"}
ECS_DATADIR="/srv/agent"
ECS_RESERVED_MEMORY=512
ECS_DYNAMIC_HOST_PORT_RANGE=40000-50000
ECS_TASK_PIDS_LIMIT=100
ECS_CONTAINER_STOP_TIMEOUT=1m30s
ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION=10m
ECS_IMAGE_PULL_BEHAVIOR=prefer-cached
ECS_IMAGE_PULL_INACTIVITY_TIMEOUT=5m
ECS_IMAGE_CLEANUP_INTERVAL=10m
ECS_NUM_IMAGES_DELETE_PER_CYCLE=7
AWS_DEFAULT_REGION=eu-west-1
AWS_ACCESS_KEY_ID=AKIAFILE
AWS_SECRET_ACCESS_KEY='of the file'
ECS_ENABLE_SPOT_INSTANCE_DRAINING=true
HTTP_PROXY=proxy:3128
`,
  });
  const { credentials, ...rest } = options;
  expect(rest).toEqual({
    cluster: 'prod',
    endpoint: 'https://slipway.example.com',
    region: 'eu-west-1',
    attributes: { stack: 'blue' },
    availabilityZone: 'rack-7',
    tags: { team: 'web' },
    dataDir: '/srv/agent',
    reservedMemory: 512,
    hostPorts: { first: 40_000, last: 50_000 },
    taskPidsLimit: 100,
    stopTimeout: 90_000,
    cleanupAfter: 600_000,
    pullBehavior: 'prefer-cached',
    pullInactivity: 300_000,
    imageCleanup: { every: 600_000, minimumAge: 3_600_000, perCycle: 7 },
  });
  expect(await credentials(() => 'secret')).toEqual({ accessKeyId: 'AKIAFILE', secretAccessKey: 'of the file' });
  expect(ignored).toEqual(['ECS_ENABLE_SPOT_INSTANCE_DRAINING', 'HTTP_PROXY']);
});

test('images stay where their removal is disabled, and go as usual where nothing is said', async () => {
  const cleanup = async (environment: Record<string, string>) => (await settings({ environment })).options.imageCleanup;
  expect(await cleanup({ ECS_DISABLE_IMAGE_CLEANUP: 'true', ECS_IMAGE_CLEANUP_INTERVAL: '1h' })).toBe('off');
  expect(await cleanup({ ECS_DISABLE_IMAGE_CLEANUP: 'false' })).toBeUndefined();
  expect(await cleanup({ ECS_IMAGE_MINIMUM_CLEANUP_AGE: '1m' })).toEqual({
    every: 1_800_000,
    minimumAge: 60_000,
    perCycle: 5,
  });
});

test('the command line is before the environment, and the environment before the file', async () => {
  const file = 'ECS_CLUSTER=of-the-file\nECS_RESERVED_MEMORY=1\nAWS_REGION=file\nECS_DATADIR=/file';
  const environment = { ECS_CLUSTER: 'of-the-environment', ECS_RESERVED_MEMORY: '2', ECS_DATADIR: '/environment' };
  const flags = { cluster: 'of-the-flag', data: 'here', endpoint: 'http://flag:7500' };
  expect((await settings({ flags, environment, file })).options).toMatchObject({
    cluster: 'of-the-flag',
    dataDir: resolve('here'),
    endpoint: 'http://flag:7500',
    reservedMemory: 2,
    region: 'file',
  });
  expect((await settings({ environment, file })).options).toMatchObject({
    cluster: 'of-the-environment',
    dataDir: '/environment',
    endpoint: 'https://slipway.test',
  });
});

test('attributes of the command line join those of the variable, and the zone may come from either', async () => {
  const environment = { ECS_INSTANCE_ATTRIBUTES: '{"stack":"blue","disk":"ssd","ecs.availability-zone":"a"}' };
  const attribute = ['stack=green', 'note=a=b'];
  const { options } = await settings({ flags: { attribute }, environment });
  expect(options).toMatchObject({ attributes: { stack: 'green', disk: 'ssd', note: 'a=b' }, availabilityZone: 'a' });
  expect((await settings({ flags: { zone: 'b' }, environment })).options.availabilityZone).toBe('b');
});

test('keys and session token come from one place', async () => {
  const file = 'AWS_ACCESS_KEY_ID=AKIAFILE\nAWS_SECRET_ACCESS_KEY=file\nAWS_SESSION_TOKEN=of-the-file';
  const { options } = await settings({ file });
  expect(await options.credentials(() => 'secret')).toEqual({ accessKeyId: 'AKIA', secretAccessKey: 'secret' });
});

test('variables of amazon-ecs-agent that change nothing here are named, whoever sets them', async () => {
  const { ignored } = await settings({
    environment: { ECS_LOGLEVEL: 'debug', PATH: '/bin' },
    file: 'ECS_EXTERNAL=true',
  });
  expect(ignored).toEqual(['ECS_EXTERNAL', 'ECS_LOGLEVEL']);
});

describe('what makes no sense is refused by its name', () => {
  test.each<[string, { flags?: AgentFlags; environment?: Record<string, string>; file?: string }, RegExp]>([
    ['no server', { environment: { AWS_ENDPOINT_URL: '' } }, /^name the server with --endpoint, AWS_ENDPOINT_URL or/],
    ['another protocol', { flags: { endpoint: 'ftp://host' } }, /^ftp:\/\/host is not the address of a server/],
    ['no address', { flags: { endpoint: 'http://' } }, /^http:\/\/ is not the address of a server/],
    ['no keys', { environment: { AWS_SECRET_ACCESS_KEY: '' } }, /^set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/],
    ['an attribute without a value', { flags: { attribute: ['gpu'] } }, /^--attribute gpu: write NAME=VALUE$/],
    ['an attribute without a name', { flags: { attribute: ['=1'] } }, /^--attribute =1: write NAME=VALUE$/],
    [
      'an attribute that the agent says',
      { flags: { attribute: ['ecs.os-type=windows'] } },
      /^the attribute ecs\.os-type is not yours/,
    ],
    [
      'an attribute of this product',
      { environment: { ECS_INSTANCE_ATTRIBUTES: '{"slipway.spot":"true"}' } },
      /^the attribute slipway\.spot is not yours/,
    ],
    ['an attribute twice', { flags: { attribute: ['a=1', 'a=2'] } }, /^--attribute a is given twice$/],
    [
      'attributes that are no JSON',
      { environment: { ECS_INSTANCE_ATTRIBUTES: 'stack=blue' } },
      /^ECS_INSTANCE_ATTR.*JSON/,
    ],
    ['attributes in a list', { environment: { ECS_INSTANCE_ATTRIBUTES: '["a"]' } }, /^ECS_INSTANCE_ATTRIBUTES must be/],
    ['an attribute that is a number', { environment: { ECS_INSTANCE_ATTRIBUTES: '{"a":1}' } }, /object of strings/],
    [
      'tags that are null',
      { environment: { ECS_CONTAINER_INSTANCE_TAGS: 'null' } },
      /^ECS_CONTAINER_INSTANCE_TAGS must/,
    ],
    ['a relative folder', { environment: { ECS_DATADIR: 'data' } }, /^ECS_DATADIR must be an absolute path, not data$/],
    ['no images at a time', { environment: { ECS_NUM_IMAGES_DELETE_PER_CYCLE: '0' } }, /^ECS_NUM_IMAGES_DEL.* from 1/],
    [
      'an age of nothing',
      { environment: { ECS_IMAGE_MINIMUM_CLEANUP_AGE: '5' } },
      /^ECS_IMAGE_MINIMUM_CLEANUP_AGE must/,
    ],
    ['perhaps no cleanup', { environment: { ECS_DISABLE_IMAGE_CLEANUP: '1' } }, /must be true or false, not 1$/],
    ['memory in words', { environment: { ECS_RESERVED_MEMORY: '1g' } }, /^ECS_RESERVED_MEMORY must be a number of MiB/],
    ...['40000', '2-1', '0-5', '1-65536', 'a-b'].map((range): [string, object, RegExp] => [
      `ports ${range}`,
      { environment: { ECS_DYNAMIC_HOST_PORT_RANGE: range } },
      /^ECS_DYNAMIC_HOST_PORT_RANGE must be FIRST-LAST/,
    ]),
    [
      'no processes',
      { environment: { ECS_TASK_PIDS_LIMIT: '0' } },
      /^ECS_TASK_PIDS_LIMIT must be a number from 1 to 4194304/,
    ],
    [
      'a duration without a unit',
      { environment: { ECS_CONTAINER_STOP_TIMEOUT: '30' } },
      /must be a duration .* not 30$/,
    ],
    ['a duration of nothing', { environment: { ECS_CONTAINER_STOP_TIMEOUT: '0s' } }, /must be a duration .* not 0s$/],
    ['a duration of years', { environment: { ECS_CONTAINER_STOP_TIMEOUT: '9999h' } }, /from 1s to 720h/],
    [
      'a behavior',
      { environment: { ECS_IMAGE_PULL_BEHAVIOR: 'never' } },
      /must be one of default, always, once, prefer-/,
    ],
    ['an offer', { flags: { fargate: 'yes' } }, /^--fargate yes: say on or off$/],
    ['an offer in a variable', { file: 'SLIPWAY_FARGATE=no' }, /^SLIPWAY_FARGATE must be auto or off, not no$/],
    ['what may be taken back', { environment: { SLIPWAY_SPOT: '1' } }, /^SLIPWAY_SPOT must be true or false, not 1$/],
    ['a line', { file: 'ECS_CLUSTER=a\nexport ECS_CLUSTER=b' }, /ecs\.config, line 2: write NAME=value$/],
    ['a file', { flags: { config: '/nowhere/ecs.config' } }, /^cannot read \/nowhere\/ecs\.config: ENOENT/],
  ])('%s', async (_what, parts, sentence) => {
    await expect(settings(parts)).rejects.toMatchObject({ name: 'CliError', exitCode: 2, message: sentence });
  });
});

test.each<[string, { flags?: AgentFlags; environment?: Record<string, string>; file?: string }, object]>([
  ['nothing', {}, {}],
  ['the command line', { flags: { fargate: 'off', spot: true } }, { fargate: 'off', spot: true }],
  ['what isolates', { flags: { isolation: 'runsc' }, file: 'SLIPWAY_ISOLATION=kata' }, { isolation: 'runsc' }],
  ['what isolates in a variable', { file: 'SLIPWAY_ISOLATION=kata' }, { isolation: 'kata' }],
  [
    'the command line before the file',
    { flags: { fargate: 'on' }, file: 'SLIPWAY_FARGATE=off\nSLIPWAY_SPOT=true' },
    { fargate: 'auto', spot: true },
  ],
  [
    'the environment before the file',
    { environment: { SLIPWAY_FARGATE: 'auto', SLIPWAY_SPOT: 'false' }, file: 'SLIPWAY_FARGATE=off\nSLIPWAY_SPOT=true' },
    { fargate: 'auto', spot: false },
  ],
])('what of Fargate comes to a host is said by %s', async (_what, parts, expected) => {
  const { options, ignored } = await settings(parts);
  const said = (['fargate', 'spot', 'isolation'] as const).filter((name) => options[name] !== undefined);
  expect(Object.fromEntries(said.map((name) => [name, options[name]]))).toEqual(expected);
  expect(ignored).toEqual([]);
});

test('the state has one place, wherever the agent is started', () => {
  expect(stateFolder({}, 'agent', true, '/root')).toBe('/var/lib/slipway/agent');
  expect(stateFolder({}, 'agent', false, '/home/me')).toBe('/home/me/.local/state/slipway/agent');
  expect(stateFolder({ XDG_STATE_HOME: '/state' }, 'agent', false, '/home/me')).toBe('/state/slipway/agent');
  expect(stateFolder({ XDG_STATE_HOME: 'state' }, 'agent', false, '/home/me')).toBe(
    '/home/me/.local/state/slipway/agent',
  );
});
