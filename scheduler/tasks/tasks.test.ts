import type { ContainerDefinition, RegisterTaskDefinitionRequest } from '@aws-sdk/client-ecs';
import { AwsError } from '@slipway/auth/contract';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { parseArn, parseCluster, parseMember } from '../cluster/index.ts';
import { formatFollow, parseFollow } from '../services/index.ts';
import type { TaskDefinitionRecord } from '../state/index.ts';
import {
  checkDefinition,
  checkDefinitionRequest,
  normalizeDefinition,
  parseDefinition,
  placementDemand,
  requiredAttributes,
  reservationOf,
  type TaskDefinitionBody,
  taskTags,
} from './index.ts';
import { applyOverrides } from './overrides.ts';

const home = { account: '000000000000', region: 'us-east-1' };

const body = (containers: ContainerDefinition[], rest: Partial<TaskDefinitionBody> = {}): TaskDefinitionBody => ({
  family: 'f',
  containerDefinitions: containers,
  ...rest,
});

describe('what a task reserves', () => {
  test('the sum over containers, soft memory before hard, static ports by protocol', () => {
    const reservation = reservationOf(
      body([
        {
          cpu: 100,
          memory: 512,
          memoryReservation: 128,
          portMappings: [
            { containerPort: 80, hostPort: 8080, protocol: 'tcp' },
            { containerPort: 81, hostPort: 0 },
          ],
        },
        { cpu: 50, memory: 64, portMappings: [{ containerPort: 53, hostPort: 53, protocol: 'udp' }] },
      ]),
    );
    expect(reservation).toEqual({ cpu: 150, memory: 192, tcpPorts: [8080], udpPorts: [53], gpus: 0 });
  });

  test('sizes of the task come before those of its containers', () => {
    const reservation = reservationOf(body([{ cpu: 100, memory: 64 }], { cpu: '256', memory: '512' }));
    expect(reservation).toMatchObject({ cpu: 256, memory: 512 });
  });

  test('overrides change environment by name and sizes, and leave the rest', () => {
    const before = body([
      {
        name: 'a',
        memory: 64,
        command: ['x'],
        environment: [
          { name: 'A', value: '1' },
          { name: 'B', value: '1' },
        ],
      },
      { name: 'b', memory: 6 },
    ]);
    const after = applyOverrides(before, {
      containerOverrides: [
        {
          name: 'a',
          memory: 100,
          environment: [
            { name: 'B', value: '2' },
            { name: 'C', value: '3' },
          ],
        },
      ],
    });
    expect(after.containerDefinitions).toEqual([
      {
        name: 'a',
        memory: 100,
        command: ['x'],
        environment: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
          { name: 'C', value: '3' },
        ],
      },
      { name: 'b', memory: 6 },
    ]);
    expect(before.containerDefinitions?.[0]?.memory).toBe(64);
  });
});

describe('what an instance must be able to do', () => {
  test('nothing, for a plain container', () => {
    expect(requiredAttributes(body([{ image: 'busybox', memory: 64 }]))).toEqual([]);
  });

  test.each<[string, TaskDefinitionBody, string[]]>([
    [
      'a log driver',
      body([{ logConfiguration: { logDriver: 'awslogs' } }], { executionRoleArn: 'r' }),
      [
        'com.amazonaws.ecs.capability.docker-remote-api.1.19',
        'com.amazonaws.ecs.capability.logging-driver.awslogs',
        'ecs.capability.execution-role-awslogs',
      ],
    ],
    ['a task role', body([{}], { taskRoleArn: 'r' }), ['com.amazonaws.ecs.capability.task-iam-role']],
    [
      'a task role on the host network',
      body([{}], { taskRoleArn: 'r', networkMode: 'host' }),
      ['com.amazonaws.ecs.capability.task-iam-role-network-host'],
    ],
    [
      'an ECR image',
      body([{ image: '000000000000.dkr.ecr.us-east-1.amazonaws.com/web:1' }], { executionRoleArn: 'r' }),
      ['com.amazonaws.ecs.capability.ecr-auth', 'ecs.capability.execution-role-ecr-pull'],
    ],
    ['privileges', body([{ privileged: true }]), ['com.amazonaws.ecs.capability.privileged-container']],
    [
      'order',
      body([{ dependsOn: [{ containerName: 'x', condition: 'START' }] }]),
      ['ecs.capability.container-ordering'],
    ],
    [
      'a port range',
      body([{ portMappings: [{ containerPortRange: '1-2' }] }]),
      ['ecs.capability.network.container-port-range'],
    ],
    [
      'a volume driver',
      body([{}], { volumes: [{ name: 'v', dockerVolumeConfiguration: { driver: 'rexray' } }] }),
      ['ecs.capability.docker-plugin.rexray'],
    ],
  ])('%s', (_what, definition, expected) => {
    expect(requiredAttributes(definition)).toEqual(expected);
  });

  test('launch type EXTERNAL and a CPU architecture narrow the placement', () => {
    const definition: TaskDefinitionRecord = {
      arn: 'a',
      family: 'f',
      revision: 1,
      status: 'ACTIVE',
      registeredAt: 0,
      definition: body([{}], {
        runtimePlatform: { cpuArchitecture: 'ARM64' },
        placementConstraints: [{ type: 'memberOf', expression: 'attribute:a exists' }],
      }),
      requiresAttributes: ['x'],
      tags: {},
    };
    const demand = placementDemand(definition, {
      kind: 'service',
      launchType: 'EXTERNAL',
      constraints: [{ type: 'distinctInstance' }],
      strategies: [],
    });
    expect(demand).toEqual({
      kind: 'service',
      requires: ['x', 'ecs.capability.external'],
      constraints: [
        { type: 'memberOf', expression: 'attribute:a exists' },
        { type: 'memberOf', expression: 'attribute:ecs.cpu-architecture == arm64' },
        { type: 'distinctInstance' },
      ],
      rather: [],
      strategies: [],
    });
  });
});

describe('tags of tasks', () => {
  test('own tags come before propagated ones, managed ones before both', () => {
    expect(
      taskTags({ own: { a: 'own' }, propagated: { a: 'p', b: 'p' }, managed: { cluster: 'c', service: 's' } }),
    ).toEqual({ a: 'own', b: 'p', 'aws:ecs:clusterName': 'c', 'aws:ecs:serviceName': 's' });
  });
});

describe('identifiers', () => {
  const anyText = fc.oneof(
    fc.string(),
    fc.stringMatching(/^arn:aws:ecs:us-east-1:000000000000:[a-z-]{0,20}\/?[a-z0-9:/-]{0,30}$/),
  );

  test('any text is parsed or refused with an error of ECS, never anything else', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        for (const parse of [
          () => parseCluster(text, home),
          () => parseMember('service', text, 'default', home),
          () => parseDefinition(text, home),
          () => parseArn(text, home),
          () => parseFollow(text),
        ]) {
          expect(foreignError(parse)).toBeUndefined();
        }
      }),
    );
  });

  test('a name survives its ARN', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-zA-Z0-9_-]{1,40}$/),
        fc.integer({ min: 1, max: 999_999_999 }),
        (name, revision) => {
          const arn = (rest: string): string => `arn:aws:ecs:us-east-1:000000000000:${rest}`;
          expect(parseCluster(arn(`cluster/${name}`), home)).toBe(name);
          expect(parseMember('service', arn(`service/default/${name}`), 'default', home)).toBe(name);
          expect(parseMember('service', arn(`service/${name}`), 'default', home)).toBe(name);
          expect(parseDefinition(arn(`task-definition/${name}:${revision}`), home)).toEqual({ family: name, revision });
        },
      ),
    );
  });

  test('a follow rule survives its tag', () => {
    for (const value of ['true', 'pattern:v?.*', 'semver:>=1.2 <2 || 3.x']) {
      expect(formatFollow(parseFollow(value) ?? { mode: 'tags' })).toBe(value);
    }
  });
});

describe('task definitions of any content', () => {
  const text = fc.oneof(fc.constantFrom('main', 'busybox', 'host', 'tcp', ''), fc.string());
  const number = fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, 1, 64, 80, 65_536));
  const optional = { requiredKeys: [] as [] };
  const container = fc.record(
    {
      name: text,
      image: text,
      cpu: number,
      memory: number,
      memoryReservation: number,
      essential: fc.boolean(),
      links: fc.array(text),
      portMappings: fc.array(
        fc.record(
          { containerPort: number, hostPort: number, containerPortRange: text, protocol: text, name: text },
          optional,
        ),
      ),
      dependsOn: fc.array(fc.record({ containerName: text, condition: text }, optional)),
      volumesFrom: fc.array(fc.record({ sourceContainer: text }, optional)),
      mountPoints: fc.array(fc.record({ sourceVolume: text, containerPath: text }, optional)),
      environment: fc.array(fc.record({ name: text, value: text }, optional)),
      healthCheck: fc.record({ command: fc.array(text), interval: number }, optional),
      ulimits: fc.array(fc.record({ name: text, softLimit: number, hardLimit: number }, optional)),
      systemControls: fc.array(fc.record({ namespace: text, value: text }, optional)),
      logConfiguration: fc.record({ logDriver: text, options: fc.dictionary(text, text) }, optional),
      linuxParameters: fc.record(
        {
          maxSwap: number,
          swappiness: number,
          tmpfs: fc.array(fc.record({ containerPath: text, size: number }, optional)),
        },
        optional,
      ),
    },
    optional,
  );
  const request = fc.record(
    {
      family: text,
      containerDefinitions: fc.array(container),
      volumes: fc.array(fc.record({ name: text, host: fc.record({ sourcePath: text }, optional) }, optional)),
      networkMode: fc.constantFrom('bridge', 'host', 'none', 'awsvpc', 'magic'),
      cpu: text,
      memory: text,
      placementConstraints: fc.array(fc.record({ type: text, expression: text }, optional)),
      taskRoleArn: text,
    },
    optional,
  );

  test('are accepted or refused with an error of ECS, never anything else', () => {
    fc.assert(
      fc.property(request, (random) => {
        const input = random as RegisterTaskDefinitionRequest;
        const register = (): void => {
          checkDefinitionRequest(input);
          checkDefinition(normalizeDefinition(input));
        };
        expect(foreignError(register)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
  });

  test('normalise to something that normalises to itself', () => {
    fc.assert(
      fc.property(request, (random) => {
        const input = { ...random, cpu: '1 vCPU', memory: '2 GB' } as RegisterTaskDefinitionRequest;
        const once = normalizeDefinition(input);
        expect(normalizeDefinition(once as RegisterTaskDefinitionRequest)).toEqual(once);
      }),
    );
  });
});

/** What a function throws that is not an error of ECS. */
function foreignError(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error instanceof AwsError ? undefined : error;
  }
}
