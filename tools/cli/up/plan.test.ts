import type { LoadBalancer, RegisterTaskDefinitionCommandInput, Service, TaskDefinition } from '@aws-sdk/client-ecs';
import { describe, expect, it, test } from 'vitest';
import type { App, AppService } from './model.ts';
import { type ImagePlan, type Now, planOf, type ServiceNow } from './plan.ts';
import { newTargets } from './apply.ts';
import { differences, registrationOf, stateTag } from './registration.ts';
import { planLines } from './up.ts';
import { standingOf } from './wait.ts';

const web = (change: Partial<AppService> = {}): AppService => ({
  name: 'shop-web',
  line: 1,
  volumes: [],
  healthPath: '/',
  publish: [{ container: 'web', containerPort: 8080, port: 80 }],
  containers: [
    {
      source: { kind: 'image', image: 'web:1' },
      secrets: { DB: 'prod/db' },
      definition: {
        name: 'web',
        memoryReservation: 128,
        environment: [{ name: 'A', value: 'b' }],
        portMappings: [{ containerPort: 8080, protocol: 'tcp' }],
      },
    },
  ],
  ...change,
});
const app = (...services: AppService[]): App => ({ name: 'shop', folder: '/', services });
const image: ImagePlan = { container: 'web', image: 'h:1/web:1@sha256:a' };
const push: ImagePlan = { container: 'web', push: { repository: 'web', tag: '1', from: 'web:1' } };
const revision = (service: AppService, container = image): RegisterTaskDefinitionCommandInput =>
  registrationOf(service, {
    project: 'shop',
    region: 'us-east-1',
    images: new Map([['web', container.image ?? '']]),
    secrets: new Map([['prod/db', 'arn:db']]),
    executionRoleArn: 'arn:role',
  });

/** As ECS shows a revision: with its defaults. */
const registered = ({ tags: _tags, ...input }: RegisterTaskDefinitionCommandInput): TaskDefinition => ({
  ...(input as TaskDefinition),
  revision: 1,
  status: 'ACTIVE',
  containerDefinitions: (input.containerDefinitions ?? []).map((one) => ({
    cpu: 0,
    mountPoints: [],
    ...one,
    portMappings: (one.portMappings ?? []).map((port) => ({ hostPort: 0, ...port })),
  })),
});
const stateOf = ({ tags = [] }: RegisterTaskDefinitionCommandInput): string =>
  tags.find(({ key }) => key === stateTag)?.value ?? '';

const running = (service = web(), change: Partial<Service> = {}): ServiceNow => ({
  service: {
    serviceName: service.name,
    desiredCount: 1,
    loadBalancers: [{}],
    tags: [{ key: 'slipway:up', value: 'shop' }],
    ...change,
  },
  taskDefinition: registered(revision(service)),
  state: stateOf(revision(service)),
  balancer: { ports: [80], healthPath: '/', from: ['0.0.0.0/0'] },
});
const now = (...services: ServiceNow[]): Now => ({
  services: new Map(services.map((one) => [one.service.serviceName ?? '', one])),
  repositories: new Set(['web']),
  logGroup: true,
});

/** The lines of a plan, for one service `shop-web` with this image. */
const linesFor = (service: AppService, standing: Now, container = image): readonly string[] =>
  planLines(
    planOf(
      app(service),
      standing,
      new Map([[service.name, [container]]]),
      container.image === undefined ? new Map() : new Map([[service.name, revision(service, container)]]),
    ).steps,
  );

test('a revision has images, logs, secrets, and tags that say what it was made of', () => {
  expect(revision(web())).toEqual({
    family: 'shop-web',
    networkMode: 'bridge',
    executionRoleArn: 'arn:role',
    containerDefinitions: [
      {
        name: 'web',
        image: 'h:1/web:1@sha256:a',
        memoryReservation: 128,
        environment: [{ name: 'A', value: 'b' }],
        portMappings: [{ containerPort: 8080, protocol: 'tcp' }],
        secrets: [{ name: 'DB', valueFrom: 'arn:db' }],
        logConfiguration: {
          logDriver: 'awslogs',
          options: { 'awslogs-group': 'shop', 'awslogs-region': 'us-east-1', 'awslogs-stream-prefix': 'shop-web' },
        },
      },
    ],
    tags: [
      { key: 'slipway:up', value: 'shop' },
      { key: 'slipway:up-state', value: expect.stringMatching(/^[0-9a-f]{32}$/) },
    ],
  });
  expect(stateOf(revision(web()))).toBe(stateOf(revision(web())));
});

describe('what a revision lacks', () => {
  const wanted = revision(web());
  const current = registered(wanted);
  const container = current.containerDefinitions?.[0];

  it('is nothing when it is as wanted, whatever defaults ECS added', () => {
    expect(differences(wanted, current, stateOf(wanted))).toEqual([]);
  });

  it.each<[string, TaskDefinition, string[]]>([
    ['an image', { ...current, containerDefinitions: [{ ...container, image: 'x' }] }, ['image of web']],
    ['a list', { ...current, containerDefinitions: [{ ...container, environment: [] }] }, ['environment of web']],
    ['a volume', { ...current, executionRoleArn: 'other' }, ['executionRoleArn']],
    [
      'a container more',
      { ...current, containerDefinitions: [container ?? {}, { name: 'x' }] },
      ['the container x is gone'],
    ],
    ['no container', { ...current, containerDefinitions: [] }, ['the container web is new']],
  ])('is told: %s', (_, definition, told) => {
    expect(differences(wanted, definition, stateOf(wanted))).toEqual(told);
  });

  it('is told when something is asked for no more, which ECS cannot tell from a default', () => {
    expect(differences(wanted, current, 'other')).toEqual(['less is said of it']);
  });
});

describe('a plan', () => {
  it('makes what is not there', () => {
    const standing: Now = { services: new Map(), repositories: new Set(), logGroup: false };
    expect(linesFor(web({ count: 2 }), standing, push)).toEqual([
      '  + repository web',
      '  + image web:1: push web:1',
      '  + log group shop',
      '  + load balancer of shop-web: 80 -> web:8080',
      '  + service shop-web: 2 tasks of web',
    ]);
  });

  it('is empty when all is there, and leaves a count alone that the file does not say', () => {
    expect(linesFor(web(), now(running(web(), { desiredCount: 7 })))).toEqual([
      'nothing to do: all is as it should be',
    ]);
  });

  it.each<[string, AppService, ServiceNow, ImagePlan, string[]]>([
    ['an image', web(), running(), push, ['  + image web:1: push web:1', '  ~ service shop-web: image of web']],
    ['a count', web({ count: 3 }), running(), image, ['  ~ service shop-web: 1 -> 3 tasks']],
    [
      'a deployment that failed',
      web(),
      running(web(), { deployments: [{ status: 'PRIMARY', rolloutState: 'FAILED' }] }),
      image,
      ['  ~ service shop-web: its last deployment failed: once more'],
    ],
    [
      'a port',
      web({ publish: [{ container: 'web', containerPort: 8080, port: 81 }] }),
      running(),
      image,
      ['  ~ load balancer of shop-web: 81 -> web:8080'],
    ],
    [
      'a path',
      web({ healthPath: '/up' }),
      running(),
      image,
      ['  ~ load balancer of shop-web: 80 -> web:8080, asks for /up'],
    ],
    ['no port', web({ publish: [] }), running(), image, ['  - load balancer of shop-web: it has no ports any more']],
    [
      'a balancer that others took away',
      web(),
      running(web(), { loadBalancers: [] }),
      image,
      ['  ~ service shop-web: its load balancer was taken away'],
    ],
  ])('changes %s, and says that this disturbs', (_, service, standing, container, lines) => {
    expect(linesFor(service, now(standing), container)).toEqual(lines);
    const { steps } = planOf(app(service), now(standing), new Map([[service.name, [container]]]), new Map());
    expect(steps.some(({ disturbs }) => disturbs)).toBe(lines.some((line) => /^ {2}[~-]/.test(line)));
  });

  it('leaves who may connect as it is, unless that is said', () => {
    const lines = (from?: string) =>
      planLines(
        planOf(
          { ...app(web()), ...(from === undefined ? {} : { from }) },
          now({ ...running(), balancer: { ports: [80], healthPath: '/', from: ['10.0.0.0/8'] } }),
          new Map([['shop-web', [image]]]),
          new Map([['shop-web', revision(web())]]),
        ).steps,
      );
    expect(lines()).toEqual(['nothing to do: all is as it should be']);
    expect(lines('10.0.0.0/8')).toEqual(['nothing to do: all is as it should be']);
    expect(lines('0.0.0.0/0')).toEqual([
      '  ~ load balancer of shop-web: 80 -> web:8080, open to 0.0.0.0/0 instead of 10.0.0.0/8',
    ]);
  });

  it('removes services of the project that the file does not have, and nobody else’s', () => {
    const other = running(web({ name: 'shop-old' }));
    const foreign = { service: { serviceName: 'api', tags: [{ key: 'slipway:up', value: 'other' }] } };
    const { gone, steps } = planOf(app(web()), now(running(), other, foreign), new Map(), new Map());
    expect(gone.map(({ serviceName }) => serviceName)).toEqual(['shop-old']);
    expect(steps.at(-1)).toMatchObject({ sign: '-', what: 'service shop-old', disturbs: true });
  });

  it('touches no service of its name that somebody else made', () => {
    expect(() => linesFor(web(), now(running(web(), { tags: [] })))).toThrow('slipway up did not make for shop');
  });

  it('pushes an image once that several containers have', () => {
    const { steps } = planOf(app(), { ...now(), repositories: new Set() }, new Map([['a', [push, push]]]), new Map());
    expect(steps.map(({ what }) => what)).toEqual(['repository web', 'image web:1']);
  });
});

describe('the target groups of a service', () => {
  const [one, other] = ['one', 'other'].map((targetGroupArn) => ({
    targetGroupArn,
    containerName: 'web',
    containerPort: 8080,
  })) as [LoadBalancer, LoadBalancer];
  const advancedConfiguration = { alternateTargetGroupArn: 'next' };

  it('stay as they are, with what a strategy has set', () => {
    const service = { loadBalancers: [{ ...one, advancedConfiguration }, other] };
    expect(newTargets(service, [one], false)).toBeUndefined();
    expect(newTargets({ loadBalancers: [one] }, [one], true)).toBeUndefined();
  });

  it('are told when a container has another port', () => {
    const moved = { ...one, containerPort: 9090 };
    const service = { loadBalancers: [{ ...one, advancedConfiguration }, other] };
    expect(newTargets(service, [moved], false)).toEqual([other, { ...moved, advancedConfiguration }]);
  });

  it('are those of the file when its load balancer is another one', () => {
    expect(newTargets({ loadBalancers: [] }, [one], true)).toEqual([one]);
    expect(newTargets({ loadBalancers: [one] }, [], true)).toEqual([]);
    expect(newTargets({ loadBalancers: [one, other] }, [one], true)).toEqual([one]);
  });
});

describe('how a service stands', () => {
  const deployment = { status: 'PRIMARY', taskDefinition: 'new', rolloutState: 'COMPLETED' as const };
  it.each<[Service, ReturnType<typeof standingOf>]>([
    [{ desiredCount: 1, runningCount: 1, deployments: [deployment] }, 'steady'],
    [{ desiredCount: 2, runningCount: 1, deployments: [deployment] }, 'under way'],
    [{ deployments: [{ ...deployment, rolloutState: 'IN_PROGRESS' }] }, 'under way'],
    [{ deployments: [{ ...deployment, rolloutState: 'FAILED', rolloutStateReason: 'why' }] }, { failed: 'why' }],
    [
      {
        deployments: [
          { ...deployment, taskDefinition: 'a/old' },
          { ...deployment, status: 'ACTIVE' },
        ],
      },
      { failed: 'it runs old again' },
    ],
  ])('%#', (service, standing) => {
    expect(standingOf(service, 'new')).toEqual(standing);
  });
});
