import { expect, test } from 'vitest';

import { eventOfHost, eventsOfImage, eventsOfService, eventsOfTask, type Told } from './event-shapes.ts';

/**
 * The members that AWS's documentation shows of each event (ECS developer guide, "Amazon ECS events"; ECR user guide, "Amazon ECR events and
 * EventBridge"), with the kind of their values.
 */
const documented = {
  event: ['account', 'detail', 'detail-type', 'id', 'region', 'resources', 'source', 'time', 'version'],
  task: [
    'attachments',
    'availabilityZone',
    'clusterArn',
    'connectivity',
    'connectivityAt',
    'containerInstanceArn',
    'containers',
    'cpu',
    'createdAt',
    'desiredStatus',
    'group',
    'lastStatus',
    'launchType',
    'memory',
    'overrides',
    'platformVersion',
    'pullStartedAt',
    'pullStoppedAt',
    'startedAt',
    'taskArn',
    'taskDefinitionArn',
    'updatedAt',
    'version',
  ],
  container: [
    'containerArn',
    'cpu',
    'image',
    'imageDigest',
    'lastStatus',
    'name',
    'networkInterfaces',
    'runtimeId',
    'taskArn',
  ],
  host: [
    'agentConnected',
    'attributes',
    'clusterArn',
    'containerInstanceArn',
    'ec2InstanceId',
    'registeredResources',
    'remainingResources',
    'status',
    'updatedAt',
    'version',
    'versionInfo',
  ],
  steady: ['clusterArn', 'createdAt', 'eventName', 'eventType'],
  placement: ['clusterArn', 'createdAt', 'eventName', 'eventType', 'reason'],
  deployment: ['deploymentId', 'eventName', 'eventType', 'reason', 'updatedAt'],
  pushed: ['action-type', 'image-digest', 'image-tag', 'repository-name', 'result'],
  scanned: ['finding-severity-counts', 'image-digest', 'image-tags', 'repository-name', 'scan-status'],
} as const;

const at = (second: number): Date => new Date(Date.UTC(2026, 10, 30, 12, 0, second, 500));
const arn = (resource: string): string => `arn:aws:ecs:us-west-2:111122223333:${resource}`;
const digest = `sha256:${'7'.repeat(64)}`;

/** As it is printed: JSON leaves out what is not there. */
interface Printed extends Record<string, unknown> {
  readonly detail: Readonly<Record<string, unknown>> & {
    readonly containers: readonly object[];
    readonly remainingResources: readonly object[];
  };
}
const printed = (told: Told | undefined): Printed => JSON.parse(JSON.stringify(told?.event)) as Printed;
const members = (of: object | undefined): string[] => Object.keys(of ?? {}).toSorted();

const task = {
  taskArn: arn('task/main/c13b4cb40f1f4fe4a2971f76ae5a47ad'),
  taskDefinitionArn: arn('task-definition/web:1'),
  clusterArn: arn('cluster/main'),
  containerInstanceArn: arn('container-instance/main/1f73d099b9144141a151e9ae89c8b5a1'),
  attachments: [
    { id: '1', type: 'ElasticNetworkInterface', status: 'ATTACHED', details: [{ name: 'subnetId', value: 's' }] },
  ],
  availabilityZone: 'us-west-2c',
  connectivity: 'CONNECTED',
  connectivityAt: at(2),
  containers: [
    {
      containerArn: arn('container/cf159fd6'),
      lastStatus: 'RUNNING',
      name: 'web',
      image: 'public.ecr.aws/docker/library/httpd:2.4',
      imageDigest: digest,
      runtimeId: 'ad64cbc71c7f',
      taskArn: arn('task/main/c13b4cb40f1f4fe4a2971f76ae5a47ad'),
      networkInterfaces: [{ attachmentId: '1', privateIpv4Address: '192.0.2.24' }],
      cpu: '0',
    },
  ],
  cpu: '256',
  createdAt: at(1),
  desiredStatus: 'RUNNING',
  group: 'family:web',
  lastStatus: 'RUNNING',
  launchType: 'FARGATE',
  memory: '512',
  overrides: { containerOverrides: [{ name: 'web' }] },
  platformVersion: '1.4.0',
  pullStartedAt: at(3),
  pullStoppedAt: at(4),
  startedAt: at(5),
  version: 4,
} as const;

test('an event has the members that EventBridge documents, and times in seconds', () => {
  const [, running] = eventsOfTask({ ...task } as never);
  const event = printed(running);
  expect(members(event)).toEqual(documented.event);
  expect({ ...event, detail: {} }).toEqual({
    version: '0',
    id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    'detail-type': 'ECS Task State Change',
    source: 'aws.ecs',
    account: '111122223333',
    time: '2026-11-30T12:00:05Z',
    region: 'us-west-2',
    resources: [task.taskArn],
    detail: {},
  });
});

test('a task that runs is told as ECS tells it, and what it was before without what came later', () => {
  const [pending, running] = eventsOfTask({ ...task } as never).map(printed);
  expect(members(running?.detail)).toEqual(documented.task);
  expect(members(running?.detail.containers[0])).toEqual(documented.container);
  expect(running?.detail).toMatchObject({
    createdAt: '2026-11-30T12:00:01.500Z',
    connectivity: 'CONNECTED',
    overrides: { containerOverrides: [{ name: 'web' }] },
    version: 4,
  });
  expect(pending?.detail).toMatchObject({
    lastStatus: 'PENDING',
    desiredStatus: 'RUNNING',
    version: 3,
    containers: [{ lastStatus: 'PENDING', name: 'web' }],
  });
  const later = ['connectivity', 'connectivityAt', 'pullStartedAt', 'pullStoppedAt', 'startedAt'];
  expect(members(pending?.detail)).toEqual(documented.task.filter((name) => !later.includes(name)));
});

test('a task that stopped says why, and with which codes', () => {
  const [web] = task.containers;
  const stopped = {
    ...task,
    lastStatus: 'STOPPED',
    desiredStatus: 'STOPPED',
    stoppedAt: at(9),
    stoppingAt: at(8),
    executionStoppedAt: at(8),
    stopCode: 'EssentialContainerExited',
    stoppedReason: 'Essential container in task exited',
    containers: [{ ...web, exitCode: 1, lastStatus: 'STOPPED' }],
  };
  const [, running, last] = eventsOfTask(stopped as never).map(printed);
  expect(last?.detail).toMatchObject({
    stopCode: 'EssentialContainerExited',
    stoppedReason: 'Essential container in task exited',
    stoppedAt: '2026-11-30T12:00:09.500Z',
    containers: [{ exitCode: 1, lastStatus: 'STOPPED' }],
  });
  expect(running?.detail).not.toHaveProperty('stoppedAt');
  expect(running?.detail.containers[0]).not.toHaveProperty('exitCode');
});

test('a container instance has its resources, each with the value of its type', () => {
  const resources = [
    { name: 'CPU', type: 'INTEGER', doubleValue: 0, longValue: 0, integerValue: 2048 },
    { name: 'PORTS', type: 'STRINGSET', doubleValue: 0, longValue: 0, integerValue: 0, stringSetValue: ['22'] },
  ];
  const host = {
    containerInstanceArn: task.containerInstanceArn,
    ec2InstanceId: 'i-f3a8506b',
    agentConnected: true,
    attributes: [{ name: 'com.amazonaws.ecs.capability.docker-remote-api.1.18' }],
    registeredResources: resources,
    remainingResources: resources,
    status: 'ACTIVE',
    version: 14801,
    versionInfo: { agentVersion: '1.12.2', agentHash: 'aebcbca', dockerVersion: 'DockerVersion: 1.12.6' },
  };
  const event = printed(eventOfHost(host, at(1)));
  expect(event['detail-type']).toBe('ECS Container Instance State Change');
  expect(members(event.detail)).toEqual(documented.host);
  expect(event.detail).toMatchObject({
    clusterArn: arn('cluster/main'),
    registeredResources: [
      { name: 'CPU', type: 'INTEGER', integerValue: 2048 },
      { name: 'PORTS', type: 'STRINGSET', stringSetValue: ['22'] },
    ],
  });
  expect(members(event.detail.remainingResources[0])).toEqual(['integerValue', 'name', 'type']);
});

test('services, deployments and images have the documented members, and no others', () => {
  const said = (message: string) => ({ id: message, message: `(service web) ${message}`, createdAt: at(1) });
  const service = {
    serviceArn: arn('service/main/web'),
    serviceName: 'web',
    clusterArn: arn('cluster/main'),
    events: [said('has reached a steady state.'), said('was unable to place a task because nothing fits.')],
  };
  const [steady, placement, begun] = eventsOfService(service, [
    {
      serviceDeploymentArn: arn('service-deployment/main/web/NCWGC2ZR-taawPAYrIaU5'),
      targetServiceRevisionArn: arn('service-revision/main/web/4980306466373577095'),
      createdAt: at(2),
    },
  ]).map(printed);
  expect(members(steady?.detail)).toEqual(documented.steady);
  expect(members(placement?.detail)).toEqual(documented.placement);
  expect(members(begun?.detail)).toEqual(documented.deployment);
  expect(begun?.detail).toEqual({
    eventType: 'INFO',
    eventName: 'SERVICE_DEPLOYMENT_IN_PROGRESS',
    deploymentId: 'ecs-svc/4980306466373577095',
    updatedAt: '2026-11-30T12:00:02.500Z',
    reason: 'ECS deployment ecs-svc/4980306466373577095 in progress.',
  });
  const image = {
    repositoryName: 'my-repository-name',
    registryId: '123456789012',
    imageTags: ['latest'],
    imageDigest: digest,
    imagePushedAt: at(3),
    imageScanStatus: { status: 'COMPLETE' as const },
    imageScanFindingsSummary: { imageScanCompletedAt: at(4), findingSeverityCounts: { CRITICAL: 10, MEDIUM: 9 } },
  };
  const [pushed, scanned] = eventsOfImage(image, 'us-west-2').map(printed);
  expect(members(pushed?.detail)).toEqual(documented.pushed);
  expect(pushed).toMatchObject({ source: 'aws.ecr', account: '123456789012', resources: [] });
  expect(members(scanned?.detail)).toEqual(documented.scanned);
  expect(scanned).toMatchObject({
    resources: ['arn:aws:ecr:us-west-2:123456789012:repository/my-repository-name'],
    detail: { 'scan-status': 'COMPLETE', 'finding-severity-counts': { CRITICAL: 10, MEDIUM: 9 } },
  });
});
