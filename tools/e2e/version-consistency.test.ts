import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  type Service,
  type Task,
} from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { ecsClient } from '../testbed/aws-clients.ts';
import { until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/** What a deployment began with is what its tasks run, wherever the tag points later (ECS: version consistency), on a real engine. */
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
const note = missing === undefined ? '' : ` (${missing})`;

describe.skipIf(missing !== undefined)(`a tag that moves under a service${note}`, { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-versions-'));
  const docker = new DockerCli();
  let server: ServerProcess;
  let aws: AwsCli;
  let ecs: ECSClient;
  let image: string;
  let first: string;

  beforeAll(async () => {
    server = new ServerProcess(await freePort(), join(folder, 'data'), {
      SLIPWAY_WORKERS: '1',
      SLIPWAY_HEALTHY_AFTER_SECONDS: '2',
    });
    await server.start();
    aws = new AwsCli(server.aws());
    ecs = ecsClient(server);
    image = `${server.registry}/versions:prod`;
    await aws.json(['ecr', 'create-repository', '--repository-name', 'versions']);
    const { authorizationData } = await aws.json<{ authorizationData: [{ authorizationToken: string }] }>([
      'ecr',
      'get-authorization-token',
    ]);
    const password = Buffer.from(authorizationData[0].authorizationToken, 'base64').toString().slice('AWS:'.length);
    await docker.check(['login', '--username', 'AWS', '--password-stdin', server.registry], password);
    first = await push('one');
    const { taskDefinition } = await aws.json<{ taskDefinition: { taskDefinitionArn: string } }>([
      'ecs',
      'register-task-definition',
      '--family',
      'versions',
      '--container-definitions',
      JSON.stringify([{ name: 'web', image, memory: 64, portMappings: [{ containerPort: 8080 }] }]),
    ]);
    await aws.json([
      'ecs',
      'create-service',
      '--service-name',
      'versions',
      '--task-definition',
      taskDefinition.taskDefinitionArn,
      '--desired-count',
      '1',
      '--deployment-configuration',
      JSON.stringify({
        maximumPercent: 200,
        minimumHealthyPercent: 100,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      }),
    ]);
    await until('the first task to serve', 180_000, async () => (await pages()).join() === 'one');
    await until(
      'the deployment to complete',
      180_000,
      async () => (await service()).deployments?.[0]?.rolloutState === 'COMPLETED',
    );
  }, 600_000);

  afterAll(async () => {
    await aws.json(['ecs', 'delete-service', '--service', 'versions', '--force']).catch(() => undefined);
    await until('the tasks to end', 180_000, async () => (await tasks()).length === 0).catch(() => undefined);
    ecs.destroy();
    await server.stop();
    await docker.forget(server.registry);
    docker.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const push = async (version: string, broken = false): Promise<string> => {
    await makeImage(
      docker,
      broken ? { reference: image, command: ['/bin/sh', '-c', 'exit 3'] } : webImage(image, version),
    );
    return /digest: (sha256:[0-9a-f]{64})/.exec(await docker.check(['push', image]))?.[1] ?? '';
  };

  const service = async (): Promise<Service> => {
    const [found] = (await ecs.send(new DescribeServicesCommand({ services: ['versions'] }))).services ?? [];
    if (found === undefined) throw new Error('there is no service');
    return found;
  };

  const tasks = async (): Promise<readonly Task[]> => {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ serviceName: 'versions' }));
    if (taskArns.length === 0) return [];
    const { tasks: found = [] } = await ecs.send(new DescribeTasksCommand({ tasks: taskArns }));
    return found.filter(({ lastStatus }) => lastStatus === 'RUNNING');
  };

  const pages = async (): Promise<readonly string[]> =>
    Promise.all(
      (await tasks()).map(async ({ containers }) => {
        const port = containers?.[0]?.networkBindings?.[0]?.hostPort ?? 0;
        return (await fetch(`http://127.0.0.1:${port}/`)).text();
      }),
    ).catch(() => []);

  /** What the service's tasks answer, once three run and each answers. */
  const threePages = (): Promise<readonly string[]> =>
    until('three tasks to serve', 180_000, async () => {
      const found = await pages();
      return found.length === 3 && found;
    });

  test('scaling out starts the image the deployment began with, and DescribeTasks says so truly', async () => {
    await push('two');
    await aws.json(['ecs', 'update-service', '--service', 'versions', '--desired-count', '3']);
    expect(await threePages()).toEqual(['one', 'one', 'one']);
    expect((await tasks()).map(({ containers }) => containers?.[0]?.imageDigest)).toEqual([first, first, first]);
  });

  test('a task that dies is replaced by one of the same image', async () => {
    const [victim] = await tasks();
    await docker.check(['rm', '-f', victim?.containers?.[0]?.runtimeId ?? '']);
    await until('a replacement', 180_000, async () => {
      const now = await tasks();
      return now.length === 3 && !now.some(({ taskArn }) => taskArn === victim?.taskArn);
    });
    expect(await threePages()).toEqual(['one', 'one', 'one']);
  });

  test('a rollback after a broken push under the same tag runs what ran before', async () => {
    await push('broken', true);
    await aws.json(['ecs', 'update-service', '--service', 'versions', '--force-new-deployment']);
    await until('the rollback', 180_000, async () => {
      const { events = [], deployments = [] } = await service();
      return (
        events.some(({ message = '' }) => /rolling back to deployment/.test(message)) &&
        deployments.length === 1 &&
        deployments[0]?.rolloutState === 'COMPLETED'
      );
    });
    expect(await threePages()).toEqual(['one', 'one', 'one']);
  });
});
