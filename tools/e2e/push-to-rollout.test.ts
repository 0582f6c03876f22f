import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DescribeContainerInstancesCommand,
  DescribeServicesCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListContainerInstancesCommand,
  ListTasksCommand,
  type Service,
  type Task,
} from '@aws-sdk/client-ecs';
import { freePort } from '@slipway/storage/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { AwsCli } from '../testbed/aws-cli.ts';
import { ecsClient } from '../testbed/aws-clients.ts';
import { check, run, until } from '../testbed/command.ts';
import { DockerCli, makeImage, missingDocker, webImage } from '../testbed/docker.ts';
import { type EngineChoice, engineChoices, type Engines } from '../testbed/engines.ts';
import { ServerProcess } from '../testbed/server-process.ts';

/**
 * The main job, on real parts: a server process, a Docker engine, the docker and AWS command lines. What is asked again until it is so is
 * asked by the SDK, whose start does not take a second. The tests build on each other, as a user's first hour does.
 */
const noDocker = await missingDocker();

for (const choice of engineChoices) {
  const missing = noDocker ?? choice.missing();
  if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);
  const note = missing === undefined ? '' : ` (${missing})`;
  // On a busy machine every step takes its time; the waits inside name what they wait for.
  describe.skipIf(missing !== undefined)(
    `docker push rolls out a service, on ${choice.name}${note}`,
    { timeout: 600_000 },
    () => {
      rollsOut(choice);
    },
  );
}

function rollsOut(choice: EngineChoice): void {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-e2e-'));
  const docker = new DockerCli();
  let server: ServerProcess;
  let aws: AwsCli;
  let ecs: ECSClient;
  let image: string;
  let failed = false;
  let engines: Engines;

  beforeAll(async () => {
    engines = await choice.start();
    server = new ServerProcess(await freePort(), join(folder, 'data'), engines.env);
    await server.start();
    aws = new AwsCli(server.aws());
    ecs = ecsClient(server);
    image = `${server.registry}/web:prod`;
  });

  afterEach((context) => {
    failed ||= context.task.result?.state === 'fail';
  });

  afterAll(async () => {
    if (failed) process.stderr.write(`--- server log ---\n${server.log.slice(-20_000)}\n`);
    ecs.destroy();
    await server.stop();
    await docker.forget(server.registry);
    docker.dispose();
    await engines.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const describeService = async (services = ['web']): Promise<Service> => {
    const [found] = (await ecs.send(new DescribeServicesCommand({ services }))).services ?? [];
    if (found === undefined) throw new Error(`there is no service ${services.join()}`);
    return found;
  };

  const isSettled = ({ deployments = [] }: Service): boolean =>
    deployments.length === 1 && deployments[0]?.rolloutState === 'COMPLETED';

  const messages = ({ events = [] }: Service): string => events.map(({ message }) => message).join('\n');

  const describeTask = async (arn: string): Promise<Task | undefined> =>
    (await ecs.send(new DescribeTasksCommand({ tasks: [arn] }))).tasks?.[0];

  const runningTasks = async (): Promise<readonly Task[]> => {
    const { taskArns = [] } = await ecs.send(new ListTasksCommand({ serviceName: 'web' }));
    if (taskArns.length === 0) return [];
    const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ tasks: taskArns }));
    return tasks.filter((task) => task.lastStatus === 'RUNNING');
  };

  const instance = async () => {
    const { containerInstanceArns = [] } = await ecs.send(new ListContainerInstancesCommand({}));
    expect(containerInstanceArns).toHaveLength(1);
    const shown = await ecs.send(new DescribeContainerInstancesCommand({ containerInstances: containerInstanceArns }));
    return shown.containerInstances?.[0];
  };

  const page = async (task: Task): Promise<string> => {
    const port = task.containers?.[0]?.networkBindings?.[0]?.hostPort;
    return (await fetch(`http://127.0.0.1:${port ?? 0}/`)).text();
  };

  const served = async (): Promise<readonly string[]> => Promise.all((await runningTasks()).map(page));

  const push = async (version: string): Promise<string> => {
    await makeImage(docker, webImage(image, version));
    const printed = await docker.check(['push', image]);
    return /digest: (sha256:[0-9a-f]{64})/.exec(printed)?.[1] ?? '';
  };

  /** Until both tasks run, and nobody else, and each answers with this page: a task that runs may not listen yet. */
  const serving = (text: string): Promise<true> =>
    until(`both tasks to serve ${text}`, 180_000, async () => {
      const pages = await served();
      return pages.length === 2 && pages.every((page) => page === text);
    });

  const stable = (): Promise<true> =>
    until('the service to be stable', 180_000, async () => {
      const service = await describeService();
      return isSettled(service) && service.runningCount === service.desiredCount;
    });

  test('the administrator key lies in the data folder, for its owner only', () => {
    expect(statSync(join(server.data, 'credentials')).mode & 0o777).toBe(0o600);
  });

  test('slipway env points any shell at the server', async () => {
    const launcher = join(import.meta.dirname, '..', 'bin', 'slipway');
    const printed = await check('sh', [
      '-c',
      `eval "$(${launcher} env --data ${server.data})" && echo "$AWS_ENDPOINT_URL $AWS_REGION"`,
    ]);
    expect(printed.trim()).toBe(`${server.endpoint} us-east-1`);
  });

  test('the cluster default exists and this machine has joined it', async () => {
    const { clusterArns } = await aws.json<{ clusterArns: string[] }>(['ecs', 'list-clusters']);
    expect(clusterArns).toEqual(['arn:aws:ecs:us-east-1:000000000000:cluster/default']);
    const joined = await until('the container instance', 180_000, async () => {
      const found = await instance();
      return found?.agentConnected === true && found;
    });
    expect(await aws.json(['ecs', 'list-container-instances'])).toEqual({
      containerInstanceArns: [joined.containerInstanceArn],
    });
    expect(joined.status).toBe('ACTIVE');
    expect(
      joined.registeredResources?.find((resource) => resource.name === 'CPU')?.integerValue,
    ).toBeGreaterThanOrEqual(1024);
  });

  test('ecr: a repository is created, described, and listed empty', async () => {
    const { repository } = await aws.json<{ repository: { repositoryUri: string } }>([
      'ecr',
      'create-repository',
      '--repository-name',
      'web',
    ]);
    expect(repository.repositoryUri).toBe(`${server.registry}/web`);
    const { repositories } = await aws.json<{ repositories: { repositoryName: string }[] }>([
      'ecr',
      'describe-repositories',
    ]);
    expect(repositories.map((entry) => entry.repositoryName)).toEqual(['web']);
    expect(await aws.json(['ecr', 'list-images', '--repository-name', 'web'])).toEqual({ imageIds: [] });
  });

  test('docker login, push and pull work with the password that the AWS CLI gets', async () => {
    const password = await aws.run(['ecr', 'get-login-password']);
    expect(password.code, password.stderr).toBe(0);
    expect(
      await docker.check(['login', '--username', 'AWS', '--password-stdin', server.registry], password.stdout.trim()),
    ).toContain('Login Succeeded');
    const digest = await push('one');
    const { imageDetails } = await aws.json<{ imageDetails: { imageDigest: string; imageTags: string[] }[] }>([
      'ecr',
      'describe-images',
      '--repository-name',
      'web',
    ]);
    expect(imageDetails.map(({ imageDigest, imageTags }) => ({ imageDigest, imageTags }))).toEqual([
      { imageDigest: digest, imageTags: ['prod'] },
    ]);
    await docker.check(['rmi', image]);
    expect(await docker.check(['pull', image])).toContain(digest);
  });

  test('docker without a login is refused', async () => {
    const stranger = new DockerCli();
    const result = await stranger.run(['push', image]);
    stranger.dispose();
    expect(result.code).not.toBe(0);
    expect(result.stderr).toMatch(/no basic auth credentials|unauthorized|authentication required/);
    // Where it can hope for a better answer, it waits for 50 seconds.
    expect(result.stdout).not.toContain('Retrying');
  });

  test('a service starts its tasks on dynamic host ports', async () => {
    await aws.json(['ecs', 'register-task-definition', '--cli-input-json', JSON.stringify(taskDefinition(image))]);
    await aws.json([
      'ecs',
      'create-service',
      '--service-name',
      'web',
      '--task-definition',
      'web',
      '--desired-count',
      '2',
      '--deployment-configuration',
      JSON.stringify({
        maximumPercent: 200,
        minimumHealthyPercent: 100,
        deploymentCircuitBreaker: { enable: true, rollback: true },
      }),
      '--tags',
      'key=slipway:follow,value=true',
    ]);
    await stable();
    // The waiter looks every 15 seconds: that it finds the service so is all that it is asked.
    await check('aws', ['--endpoint-url', server.endpoint, 'ecs', 'wait', 'services-stable', '--services', 'web'], {
      env: server.aws(),
    });
    const { taskArns } = await aws.json<{ taskArns: string[] }>(['ecs', 'list-tasks', '--service-name', 'web']);
    const { tasks } = await aws.json<{ tasks: Task[] }>(['ecs', 'describe-tasks', '--tasks', ...taskArns]);
    expect(tasks.map(({ lastStatus }) => lastStatus)).toEqual(['RUNNING', 'RUNNING']);
    const ports = tasks.map((task) => task.containers?.[0]?.networkBindings?.[0]?.hostPort);
    expect(new Set(ports).size).toBe(2);
    await serving('one');
  });

  test('a push to the followed tag rolls the service to a revision pinned by digest', async () => {
    const digest = await push('two');
    await serving('two');
    await stable();
    const { taskDefinition: pinned } = await aws.json<{
      taskDefinition: { revision: number; containerDefinitions: { image: string }[] };
    }>(['ecs', 'describe-task-definition', '--task-definition', (await describeService()).taskDefinition ?? '']);
    expect(pinned.revision).toBe(2);
    expect(pinned.containerDefinitions[0]?.image).toContain(`@${digest}`);
    expect((await runningTasks()).map((task) => task.containers?.[0]?.imageDigest)).toEqual([digest, digest]);
  });

  test('a broken image trips the circuit breaker and the service goes back on its own, serving all the while', async () => {
    const before = (await describeService()).taskDefinition;
    let answered = 0;
    const stop = new AbortController();
    const ports = (await runningTasks()).map((task) => task.containers?.[0]?.networkBindings?.[0]?.hostPort ?? 0);
    const load = (async () => {
      while (!stop.signal.aborted) {
        for (const port of ports) {
          expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('two');
          answered++;
        }
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    })();
    // It is awaited at the end; a failure before that must not look like nobody's.
    load.catch(() => undefined);
    await makeImage(docker, { reference: image, command: ['/bin/sh', '-c', 'exit 3'] });
    await docker.check(['push', image]);
    // The broken deployment may be over before anybody looks: the events tell that there was one.
    await until('the rollback to complete', 180_000, async () => {
      const service = await describeService();
      return (
        /deployment failed: tasks failed to start/.test(messages(service)) &&
        service.taskDefinition === before &&
        isSettled(service)
      );
    });
    const enough = Math.max(11, answered + 1);
    await Promise.race([load, until('answers', 180_000, async () => answered >= enough)]);
    stop.abort();
    await load;
    await serving('two');
    expect(messages(await describeService())).toMatch(/rolling back to deployment/);
  });

  test('a container killed by hand is replaced', async () => {
    const [victim] = await runningTasks();
    await docker.check(['kill', victim?.containers?.[0]?.runtimeId ?? '']);
    await until('two tasks without the killed one', 180_000, async () => {
      const tasks = await runningTasks();
      return tasks.length === 2 && tasks.every((task) => task.taskArn !== victim?.taskArn);
    });
    expect(await stable()).toBe(true);
  });

  test('kill -9 of the server loses nothing, leaves containers running, and takes them over without duplicates', async () => {
    const before = (await runningTasks())
      .map((task) => ({ arn: task.taskArn ?? '', runtimeId: task.containers?.[0]?.runtimeId }))
      .sort(byArn);
    const { imageIds } = await aws.json<{ imageIds: unknown[] }>(['ecr', 'list-images', '--repository-name', 'web']);
    await server.stop('SIGKILL');
    for (const { runtimeId } of before)
      expect(await docker.check(['inspect', '-f', '{{.State.Running}}', runtimeId ?? ''])).toBe('true');
    await server.start();
    await until('the agent to reconnect', 180_000, async () => {
      const found = await instance();
      return found?.agentConnected === true && found.runningTasksCount === 2;
    });
    // Long enough for a second set of tasks to have been started, if anything were to.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const after = (await runningTasks())
      .map((task) => ({ arn: task.taskArn ?? '', runtimeId: task.containers?.[0]?.runtimeId }))
      .sort(byArn);
    expect(after).toEqual(before);
    expect(
      (await aws.json<{ imageIds: unknown[] }>(['ecr', 'list-images', '--repository-name', 'web'])).imageIds,
    ).toEqual(imageIds);
    await stable();
  });

  test('after the restart a push still rolls the service', async () => {
    await push('three');
    await serving('three');
    await stable();
    expect(await serving('three')).toBe(true);
  });

  test('slipway follow --off stops following, and explain says what the service does', async () => {
    const env = { ...server.aws(), SLIPWAY_DATA: server.data };
    const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
    expect(await check(slipway, ['follow', 'default/web', '--off'], { env })).toContain('follows nothing');
    const explained = async (): Promise<string> =>
      (JSON.parse(await check(slipway, ['explain', 'default/web', '--output', 'json'], { env })) as { verdict: string })
        .verdict;
    await expect.poll(explained).toMatch(/^steady, 2 tasks/);
    const missingService = await run(slipway, ['explain', 'default/nothing'], { env });
    expect(missingService).toMatchObject({
      code: 1,
      stderr: 'slipway: there is no service nothing in the cluster default\n',
    });
  });

  test('run-task starts a standalone task, stop-task stops it', async () => {
    const { tasks } = await aws.json<{ tasks: Task[] }>([
      'ecs',
      'run-task',
      '--task-definition',
      'web',
      '--started-by',
      'e2e',
    ]);
    const arn = tasks[0]?.taskArn ?? '';
    await until('the task to run', 180_000, async () => (await describeTask(arn))?.lastStatus === 'RUNNING');
    await aws.json(['ecs', 'stop-task', '--task', arn, '--reason', 'enough']);
    const stopped = await until('the task to stop', 180_000, async () => {
      const task = await describeTask(arn);
      return task?.lastStatus === 'STOPPED' && task;
    });
    expect(stopped).toMatchObject({ stopCode: 'UserInitiated', stoppedReason: 'enough' });
  });

  test('a task that fits nowhere says why in the events of its service', async () => {
    await aws.json([
      'ecs',
      'register-task-definition',
      '--cli-input-json',
      JSON.stringify({ ...taskDefinition(image), family: 'huge', cpu: '131072', memory: '512' }),
    ]);
    await aws.json([
      'ecs',
      'create-service',
      '--service-name',
      'huge',
      '--task-definition',
      'huge',
      '--desired-count',
      '1',
    ]);
    const message = await until('the event', 180_000, async () => {
      const { events = [] } = await describeService(['huge']);
      return events.find(({ message: text }) => text?.includes('unable to place'))?.message;
    });
    expect(message).toMatch(
      /^\(service huge\) was unable to place a task because no container instance met all of its requirements\..*CPU/,
    );
    await aws.json(['ecs', 'delete-service', '--service', 'huge', '--force']);
  });

  test('the service is scaled down and deleted, and its containers are gone', async () => {
    const ids = (await runningTasks()).map((task) => task.containers?.[0]?.runtimeId ?? '');
    await aws.json(['ecs', 'update-service', '--service', 'web', '--desired-count', '0']);
    await stable();
    await aws.json(['ecs', 'delete-service', '--service', 'web']);
    await until('the service to be inactive', 180_000, async () => (await describeService()).status === 'INACTIVE');
    for (const id of ids) {
      const state = await docker.run(['inspect', '-f', '{{.State.Running}}', id]);
      expect(state.code === 0 ? state.stdout.trim() : 'false').toBe('false');
    }
  });

  test('SIGTERM stops the server cleanly and a second start has everything', async () => {
    expect(await server.stop('SIGTERM')).toBe(0);
    await server.start();
    const { repositories } = await aws.json<{ repositories: unknown[] }>(['ecr', 'describe-repositories']);
    expect(repositories).toHaveLength(1);
  });

  test('a taken port is said so, with exit code 1 and no stack trace', async () => {
    const second = await new Promise<{ code: number | null; stderr: string }>((resolve) => {
      const child = execFile(
        process.execPath,
        [join(import.meta.dirname, '..', 'cli', 'main.ts'), 'serve'],
        {
          env: {
            ...process.env,
            SLIPWAY_PORT: String(server.port),
            SLIPWAY_DATA: join(folder, 'second'),
            SLIPWAY_AGENT: 'off',
          },
        },
        (_error, _stdout, stderr) => resolve({ code: child.exitCode, stderr }),
      );
    });
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(new RegExp(`port ${server.port} .*(taken|in use)`));
    expect(second.stderr).not.toMatch(/\n\s+at /);
  });
}

function byArn(a: { readonly arn: string }, b: { readonly arn: string }): number {
  return a.arn < b.arn ? -1 : 1;
}

function taskDefinition(image: string): object {
  return {
    family: 'web',
    networkMode: 'bridge',
    containerDefinitions: [
      {
        name: 'web',
        image,
        cpu: 64,
        memory: 32,
        essential: true,
        portMappings: [{ containerPort: 8080, hostPort: 0, protocol: 'tcp' }],
        healthCheck: {
          command: ['CMD-SHELL', 'wget -q -O /dev/null http://127.0.0.1:8080/'],
          interval: 5,
          // On a busy machine the command alone takes seconds to begin; a task that is taken for ill is replaced.
          timeout: 30,
          retries: 2,
        },
        stopTimeout: 5,
      },
    ],
  };
}
