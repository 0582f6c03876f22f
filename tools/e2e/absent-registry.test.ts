import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
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

/**
 * What a deployment began with is what its tasks run also while nobody answers where the image came from: the image's registry is
 * another one than this installation's (a door of this test to the same images, which asks nobody for a login), and it is shut.
 */
const missing = await missingDocker();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
const note = missing === undefined ? '' : ` (${missing})`;

/** A registry of its own name and port that hands on to another one with the login it was given. */
class Door {
  readonly #server: Server;
  readonly port: number;

  constructor(port: number, to: number, login: string) {
    this.port = port;
    this.#server = createServer((incoming, outgoing) => {
      const { host: _, ...headers } = incoming.headers;
      const passed = request(
        {
          host: '127.0.0.1',
          port: to,
          method: incoming.method,
          path: incoming.url,
          headers: { ...headers, host: `127.0.0.1:${to}`, authorization: `Basic ${btoa(login)}` },
        },
        (answer) => {
          outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
          answer.pipe(outgoing);
        },
      );
      passed.on('error', () => outgoing.destroy());
      incoming.pipe(passed);
    });
  }

  open(): Promise<void> {
    return new Promise((resolve) => this.#server.listen(this.port, '127.0.0.1', resolve));
  }

  shut(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }
}

describe.skipIf(missing !== undefined)(`a registry that went away${note}`, { timeout: 600_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-absent-'));
  const docker = new DockerCli();
  let server: ServerProcess;
  let aws: AwsCli;
  let ecs: ECSClient;
  let door: Door;
  let image: string;
  let first: string;

  const define = async (command?: readonly string[]): Promise<string> => {
    const { taskDefinition } = await aws.json<{ taskDefinition: { taskDefinitionArn: string } }>([
      'ecs',
      'register-task-definition',
      '--family',
      'absent',
      '--container-definitions',
      JSON.stringify([{ name: 'web', image, command, memory: 64, portMappings: [{ containerPort: 8080 }] }]),
    ]);
    return taskDefinition.taskDefinitionArn;
  };

  const push = async (version: string): Promise<string> => {
    const own = `${server.registry}/absent:prod`;
    await makeImage(docker, webImage(own, version));
    return /digest: (sha256:[0-9a-f]{64})/.exec(await docker.check(['push', own]))?.[1] ?? '';
  };

  const service = async (): Promise<Service> => {
    const [found] = (await ecs.send(new DescribeServicesCommand({ services: ['absent'] }))).services ?? [];
    if (found === undefined) throw new Error('there is no service');
    return found;
  };

  const tasks = async (): Promise<readonly Task[]> => {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ serviceName: 'absent' }));
    if (taskArns.length === 0) return [];
    const { tasks: found = [] } = await ecs.send(new DescribeTasksCommand({ tasks: taskArns }));
    return found.filter(({ lastStatus }) => lastStatus === 'RUNNING');
  };

  /** What the service's tasks answer, once two run and each answers. */
  const twoPages = (): Promise<readonly string[]> =>
    until('two tasks to serve', 180_000, async () => {
      const found = await Promise.all(
        (await tasks()).map(async ({ containers }) => {
          const port = containers?.[0]?.networkBindings?.[0]?.hostPort ?? 0;
          return (await fetch(`http://127.0.0.1:${port}/`)).text();
        }),
      ).catch(() => []);
      return found.length === 2 && found;
    });

  beforeAll(async () => {
    server = new ServerProcess(await freePort(), join(folder, 'data'), {
      SLIPWAY_WORKERS: '1',
      SLIPWAY_HEALTHY_AFTER_SECONDS: '2',
      SLIPWAY_TASK_REGISTRY_ALLOW: '127.0.0.0/8',
    });
    await server.start();
    aws = new AwsCli(server.aws());
    ecs = ecsClient(server);
    await aws.json(['ecr', 'create-repository', '--repository-name', 'absent']);
    const { authorizationData } = await aws.json<{ authorizationData: [{ authorizationToken: string }] }>([
      'ecr',
      'get-authorization-token',
    ]);
    const login = Buffer.from(authorizationData[0].authorizationToken, 'base64').toString();
    await docker.check(['login', '--username', 'AWS', '--password-stdin', server.registry], login.slice('AWS:'.length));
    door = new Door(await freePort(), server.port, login);
    await door.open();
    image = `127.0.0.1:${door.port}/absent:prod`;
    first = await push('one');
    await aws.json([
      'ecs',
      'create-service',
      '--service-name',
      'absent',
      '--task-definition',
      await define(),
      '--desired-count',
      '1',
      '--deployment-configuration',
      // Nothing stays beside a new deployment, so that going back starts tasks.
      JSON.stringify({
        maximumPercent: 100,
        minimumHealthyPercent: 0,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      }),
    ]);
    await until(
      'the deployment to complete',
      180_000,
      async () => (await service()).deployments?.[0]?.rolloutState === 'COMPLETED',
    );
    await push('two');
    await door.shut();
  }, 600_000);

  afterAll(async () => {
    await aws.json(['ecs', 'delete-service', '--service', 'absent', '--force']).catch(() => undefined);
    await until('the tasks to end', 180_000, async () => (await tasks()).length === 0).catch(() => undefined);
    ecs.destroy();
    await server.stop();
    await docker.forget(server.registry);
    docker.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  test('scaling out starts the image the deployment began with', async () => {
    await aws.json(['ecs', 'update-service', '--service', 'absent', '--desired-count', '2']);
    expect(await twoPages()).toEqual(['one', 'one']);
    expect((await tasks()).map(({ containers }) => containers?.[0]?.imageDigest)).toEqual([first, first]);
  });

  test('a task that dies is replaced by one of the same image', async () => {
    const [victim] = await tasks();
    await docker.check(['rm', '-f', victim?.containers?.[0]?.runtimeId ?? '']);
    await until('a replacement', 180_000, async () => {
      const now = await tasks();
      return now.length === 2 && !now.some(({ taskArn }) => taskArn === victim?.taskArn);
    });
    expect(await twoPages()).toEqual(['one', 'one']);
  });

  test('a deployment that fails goes back to tasks of that image', async () => {
    const broken = await define(['/bin/sh', '-c', 'exit 3']);
    await aws.json(['ecs', 'update-service', '--service', 'absent', '--task-definition', broken]);
    await until('the rollback', 180_000, async () => {
      const { events = [], deployments = [] } = await service();
      return (
        events.some(({ message = '' }) => /rolling back to deployment/.test(message)) &&
        deployments.length === 1 &&
        deployments[0]?.rolloutState === 'COMPLETED'
      );
    });
    expect(await twoPages()).toEqual(['one', 'one']);
  });
});
