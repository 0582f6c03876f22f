/**
 * The rooms of each package, lowest first: a room imports rooms of lower layers only, never one beside or above it. A room that is not
 * listed is refused, so that whoever adds one decides where it stands.
 */
export const layers: Readonly<Record<string, readonly (readonly string[])[]>> = {
  storage: [
    ['clock', 'format'],
    ['records', 'blobs'],
    ['leases', 'events', 'audit'],
    ['engine'],
    ['telemetry', 'faults'],
  ],
  auth: [
    // What services are declared with: everybody imports it, so it imports nobody.
    ['contract'],
    ['kit'],
    ['protocol', 'sigv4', 'tokens', 'audit', 'outbound', 'rates'],
    ['policy'],
    ['identity', 'gateway'],
    ['acme', 'browser', 'denials'],
  ],
  registry: [
    ['images', 'advisories'],
    ['remote', 'templates', 'lifecycle', 'collector'],
    ['scanning', 'upstreams'],
    ['replication'],
    ['distribution'],
    ['ecr'],
    ['ecr-public'],
    ['part'],
  ],
  scheduler: [
    [
      'state',
      'placement',
      'references',
      'routing',
      'hosts/wire',
      'network/addresses',
      'scaling/rules',
      'exec/protocol',
    ],
    ['reach', 'balancing/engines', 'scaling/providers', 'signals/metrics', 'settings/keys'],
    [
      'cluster',
      'deployments',
      'hosts/agent',
      'network/records',
      'balancing/records',
      'signals/logs',
      'settings/secrets',
    ],
    [
      'tasks',
      'views',
      'balancing/health',
      'balancing/numbers',
      'balancing/api',
      'signals/alarms',
      'settings/parameters',
      'volumes/efs',
      'objects',
    ],
    ['signals/usage', 'exec/sessions'],
    ['exec/api', 'services', 'control', 'hosts/control', 'balancing/traffic', 'scaling/groups'],
    [
      'ecs',
      'codedeploy',
      'triggers',
      'hooks',
      'network/ec2',
      'network/tasks',
      'settings/tasks',
      'volumes/tasks',
      'balancing/elbv2',
      'balancing/remote',
      'balancing/acm',
      'scaling/targets',
      'scaling/following',
    ],
    ['settings/rotation', 'balancing/elb', 'scaling/api', 'scaling/autoscaling', 'scaling/capacity'],
    ['part'],
  ],
};

/** Rooms that decide and do nothing else: no clock, no network, no disk of their own. */
export const pure: readonly string[] = [
  'auth/policy',
  'scheduler/placement',
  'scheduler/deployments',
  'scheduler/network/addresses',
  'scheduler/routing',
  'scheduler/scaling/rules',
];

/** What pure rooms may have of node all the same: addresses as text (`isIP`, `BlockList`). */
export const pureModules: Readonly<Record<string, readonly string[]>> = {
  'auth/policy': ['node:net'],
  'scheduler/routing': ['node:net', 'node:crypto'],
};

/** Rooms of rooms: each part has its own index. */
export const nested: readonly string[] = [
  'scheduler/hosts',
  'scheduler/network',
  'scheduler/balancing',
  'scheduler/signals',
  'scheduler/settings',
  'scheduler/volumes',
  'scheduler/scaling',
  'scheduler/exec',
];

/**
 * Files that other rooms may import beside a room's `index.ts`, and why there is more than one door. A room may also look into
 * another's `testing/` from its tests.
 */
export const doors: Readonly<Record<string, { readonly files: readonly string[]; readonly why: string }>> = {
  'storage/blobs': { files: ['s3-blobs.ts'], why: 'loaded only where it is used: its client takes 31 MB' },
  'storage/records': { files: ['redis-records.ts'], why: 'loaded only where it is used: its client takes 26 MB' },
  'scheduler/signals/logs': {
    files: ['store/index.ts'],
    why: 'commands that look after blobs, and benchmarks, have no use for the API',
  },
  'scheduler/signals/metrics': {
    files: ['store/index.ts'],
    why: 'commands that look after blobs, and benchmarks, have no use for the API',
  },
  'scheduler/objects': {
    files: ['store/index.ts'],
    why: 'commands that look after blobs have no use for the API',
  },
  'scheduler/signals/alarms': {
    files: ['store/index.ts'],
    why: 'commands that look after records have no use for the API',
  },
  'tools/server': {
    files: [
      'agent-program.ts',
      'config.ts',
      'data-folder.ts',
      'installation.ts',
      'key-file.ts',
      'local-agent.ts',
      'log.ts',
      'logs-limit.ts',
      'scanning.ts',
      'state-files.ts',
      'storage-config.ts',
      'traffic-engines.ts',
      'docker-trouble.ts',
      'instance-providers.ts',
      'version.ts',
      'watchdog.ts',
      'process-role.ts',
      'supervised.ts',
      'supervisor.ts',
    ],
    why: 'commands load what they need, so that `slipway env` does not load a server',
  },
  'tools/console': {
    files: ['testing/made-up.ts', 'testing/stand-in.ts'],
    why: 'what its pages are measured with is what they are tested with',
  },
  'tools/testbed': { files: ['browser.ts'], why: 'loaded only where it is used: a browser and what drives it' },
  'tools/bench': { files: ['registry-target.ts'], why: 'what measures and what soaks push and pull alike' },
  'tools/cli': {
    files: ['aws-client.ts', 'env.ts', 'errors.ts', 'output.ts'],
    why: 'what the commands of other rooms, and the testbed, say and print as the others do',
  },
  'tools/simulator': {
    files: ['commands.ts', 'placement-command.ts', 'chart.ts'],
    why: 'commands, each loaded only when it is called, and pictures, of which other commands draw some',
  },
};
