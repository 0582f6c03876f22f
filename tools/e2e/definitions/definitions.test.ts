import {
  type ContainerDefinition,
  DescribeTaskDefinitionCommand,
  ECSClient,
  RegisterTaskDefinitionCommand,
  type TaskDefinition,
} from '@aws-sdk/client-ecs';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ecsClient } from '../../testbed/aws-clients.ts';
import { ServerProcess } from '../../testbed/server-process.ts';
import { refused, type Shape, shapes } from './index.ts';

/** Task definitions of the shapes that public projects have: each registers, and reads back as ECS gives it back. */
const folder = mkdtempSync(join(tmpdir(), 'slipway-definitions-'));
let server: ServerProcess;
let ecs: ECSClient;

beforeAll(async () => {
  server = new ServerProcess(await freePort(), join(folder, 'data'), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
  await server.start();
  ecs = ecsClient(server);
});
afterAll(async () => {
  ecs?.destroy();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What ECS fills in for every container. */
const defaults = {
  cpu: 0,
  essential: true,
  portMappings: [],
  environment: [],
  mountPoints: [],
  volumesFrom: [],
  systemControls: [],
};

const without = (value: object): object =>
  Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined));

/** The body that must come back: what was written, the defaults of ECS, and what the shape says reads otherwise. */
function expected({ name, input, reads = {} }: Shape): object {
  const { tags: _, ...written } = input;
  const fargate = input.requiresCompatibilities?.includes('FARGATE') === true;
  return without({
    family: name,
    volumes: [],
    placementConstraints: [],
    compatibilities: fargate ? ['EC2', 'FARGATE'] : input.networkMode === 'awsvpc' ? ['EC2'] : ['EXTERNAL', 'EC2'],
    ...written,
    containerDefinitions: (input.containerDefinitions ?? []).map((container: ContainerDefinition) =>
      without({ ...defaults, ...container, ...reads.containers?.[container.name ?? ''] }),
    ),
    ...reads.task,
  });
}

/** Without what only this revision has. */
function bodyOf(definition: TaskDefinition | undefined): object {
  const { taskDefinitionArn, revision, status, requiresAttributes, registeredAt, registeredBy, ...body } =
    definition ?? {};
  expect(status).toBe('ACTIVE');
  expect(taskDefinitionArn).toMatch(new RegExp(`task-definition/${body.family}:${revision}$`));
  expect(registeredAt).toBeInstanceOf(Date);
  expect(registeredBy).toMatch(/^arn:aws:iam::\d{12}:/);
  expect(requiresAttributes).toBeInstanceOf(Array);
  return body;
}

test('there are at least forty, each of a name of its own', () => {
  expect(shapes.length).toBeGreaterThanOrEqual(40);
  expect(new Set(shapes.map(({ name }) => name)).size).toBe(shapes.length);
});

test.each(shapes.map((shape) => [shape.name, shape] as const))('%s reads back as it was written', async (_, shape) => {
  const registered = await ecs.send(new RegisterTaskDefinitionCommand({ family: shape.name, ...shape.input }));
  expect(bodyOf(registered.taskDefinition)).toEqual(expected(shape));
  const { taskDefinition, tags } = await ecs.send(
    new DescribeTaskDefinitionCommand({ taskDefinition: shape.name, include: ['TAGS'] }),
  );
  expect(bodyOf(taskDefinition)).toEqual(expected(shape));
  expect(tags).toEqual(expect.arrayContaining(shape.input.tags ?? []));
  // What came back can be registered again and comes back the same: what tools do that change the image only.
  const again = await ecs.send(
    new RegisterTaskDefinitionCommand({
      ...bodyOf(taskDefinition),
      compatibilities: undefined,
      family: shape.name,
    } as never),
  );
  expect(bodyOf(again.taskDefinition)).toEqual(expected(shape));
});

test.each(refused)('%s is refused by name', async (_, input, message) => {
  await expect(ecs.send(new RegisterTaskDefinitionCommand(input))).rejects.toThrow(message);
});
