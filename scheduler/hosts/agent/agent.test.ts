import { readdir } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { Agent } from './index.ts';
import { endBench, TestControlPlane, until } from '../testing/bench.ts';
import { keysOf } from '../testing/callers.ts';
import { engineMissing, EngineProxy, server, TestEngine } from '../testing/test-engine.ts';
import { TestRegistry } from '../testing/registry.ts';

const missing = await engineMissing();

// Under CI a missing engine is a failure: the first hook throws.
describe.skipIf(missing !== undefined && !process.env['CI'])(
  'an agent beside a Docker engine',
  { timeout: 180_000 },
  () => {
    let plane: TestControlPlane;
    let engine: TestEngine;
    let registry: TestRegistry;
    let agent: Agent;
    let dataDir: string;
    let instance: string;

    beforeAll(async () => {
      engine = await TestEngine.open();
      registry = await TestRegistry.open(engine.image);
      plane = await TestControlPlane.open({ registry });
      dataDir = await engine.folder();
      agent = plane.agent({
        dataDir,
        allow: { logAddresses: ['127.0.0.2/32'], registryAddresses: ['127.0.0.1/32'] },
        resolve: (host) => Promise.resolve([host === 'logs.example' ? '127.0.0.2' : '127.0.0.3']),
      });
      instance = await plane.join(agent);
    }, 120_000);

    afterAll(() => endBench(agent, plane, engine), 120_000);

    const run = async (...containers: Parameters<TestControlPlane['register']>[0]['containerDefinitions'] & object) =>
      plane.place(await plane.register({ containerDefinitions: containers }), instance);

    test('a registered instance has the capabilities, the resources and the zone of its host', async () => {
      const record = await plane.instance(instance);
      expect(record.cpu % 1024).toBe(0);
      expect(record.memory).toBeGreaterThan(100);
      expect(record.reservedTcpPorts).toContain(22);
      expect(record.attributes).toContainEqual({ name: 'ecs.availability-zone', value: 'us-east-1a' });
      expect(record.attributes).toContainEqual({ name: 'com.amazonaws.ecs.capability.ecr-auth' });
      expect(record.dockerVersion).toMatch(/^DockerVersion: /);
    });

    test('a task runs with a dynamic port that serves, and stops when told', async () => {
      const web = engine.container('web', 'echo -n hello > /tmp/index.html; exec busybox httpd -f -p 8080 -h /tmp', {
        portMappings: [
          { containerPort: 8080, hostPort: 0, protocol: 'tcp' },
          { containerPortRange: '9000-9002', protocol: 'udp' },
        ],
        stopTimeout: 1,
      });
      const { id, arn } = await run(web);
      const task = await plane.untilTask(id, 'RUNNING');
      const [binding, range] = task.containers[0]?.networkBindings ?? [];
      expect(binding).toMatchObject({ bindIP: '127.0.0.1', containerPort: 8080, protocol: 'tcp' });
      expect(range).toMatchObject({ bindIP: '127.0.0.1', containerPortRange: '9000-9002', protocol: 'udp' });
      const { hostPortRange = '' } = range !== undefined && 'hostPortRange' in range ? range : {};
      const [first = 0, last = 0] = hostPortRange.split('-').map(Number);
      expect(last - first).toBe(2);
      const port = binding !== undefined && 'hostPort' in binding ? binding.hostPort : 0;
      const text = await until(
        () =>
          fetch(`http://127.0.0.1:${port}/index.html`).then(
            (answer) => answer.text(),
            () => undefined,
          ),
        'an answer of the container',
      );
      expect(text).toBe('hello');
      expect(task.startedAt).toBeGreaterThanOrEqual(task.createdAt);

      await plane.stopTask(id);
      const stopped = await plane.untilTask(id, 'STOPPED');
      expect(stopped).toMatchObject({ stopCode: 'UserInitiated', stoppedReason: 'Task stopped by user' });
      const [container] = await engine.containersOf(arn);
      expect(container?.State).toBe('exited');
    });

    test('an essential container that exits ends the task, and the others are stopped', async () => {
      // It hears SIGTERM before the other one ends, however long a busy machine takes.
      const side = engine.container('side', server.replace('while', ': > /tmp/ready; while'), {
        essential: false,
        stopTimeout: 60,
        healthCheck: { command: ['CMD', '/bin/busybox', 'test', '-e', '/tmp/ready'], interval: 1, retries: 10 },
      });
      const { id } = await run(
        engine.container('main', 'exit 7', { dependsOn: [{ containerName: 'side', condition: 'HEALTHY' }] }),
        side,
      );
      const task = await plane.untilTask(id, 'STOPPED');
      expect(task).toMatchObject({
        desiredStatus: 'STOPPED',
        stopCode: 'EssentialContainerExited',
        stoppedReason: 'Essential container in task exited',
      });
      expect(task.containers.map(({ name, lastStatus, exitCode }) => ({ name, lastStatus, exitCode }))).toEqual([
        { name: 'main', lastStatus: 'STOPPED', exitCode: 7 },
        { name: 'side', lastStatus: 'STOPPED', exitCode: 0 },
      ]);
    });

    test('an image that cannot be had stops the task with CannotPullContainerError', async () => {
      const { id } = await run({ ...engine.container('main', server), image: '127.0.0.1:1/nothing:here' });
      const task = await plane.untilTask(id, 'STOPPED');
      expect(task.stopCode).toBe('TaskFailedToStart');
      expect(task.stoppedReason).toMatch(
        /^CannotPullContainerError: the registry 127.0.0.1:1 could not be reached, or did not answer as a registry does/,
      );
      expect(task.startedAt).toBeUndefined();
    });

    test('F11: what a registry and its realm answered is not in the reason', async () => {
      const asked: string[] = [];
      const page = createServer((request, response) => {
        asked.push(request.url ?? '');
        const at = `http://${request.headers.host}`;
        if (request.url === '/v2/') response.setHeader('WWW-Authenticate', `Bearer realm="${at}/inner",service="x"`);
        response.writeHead(request.url === '/v2/' ? 401 : 403, { 'Content-Type': 'text/html' }).end('<b>SECRET</b>');
      });
      await new Promise<void>((listening) => page.listen(0, '127.0.0.1', listening));
      const { port } = page.address() as AddressInfo;
      try {
        const { id } = await run({ ...engine.container('main', server), image: `127.0.0.1:${port}/web:1` });
        const task = await plane.untilTask(id, 'STOPPED');
        expect(task.stoppedReason).toMatch(/^CannotPullContainerError: /);
        expect(JSON.stringify(task)).not.toMatch(/SECRET|inner/);
        expect(asked.some((path) => path.startsWith('/inner'))).toBe(true);
      } finally {
        page.closeAllConnections();
        page.close();
      }
    });

    test('an image of this installation is pulled with the rights of the agent, once for tasks that start together', async () => {
      const image = `${new URL(plane.endpoint).host}/team/web@${registry.digest}`;
      const definition = await plane.register({
        containerDefinitions: [{ name: 'main', image, essential: true, memory: 32 }],
      });
      const tasks = await Promise.all([1, 2, 3].map(() => plane.place(definition, instance)));
      try {
        for (const { id } of tasks) {
          const task = await plane.untilTask(id, 'STOPPED');
          // The image's own entry point and command ran.
          expect(task.containers[0]).toMatchObject({ exitCode: 21, imageDigest: registry.digest });
          expect(task.pullStoppedAt).toBeGreaterThanOrEqual(task.pullStartedAt ?? Number.POSITIVE_INFINITY);
        }
        expect([...registry.callers]).toEqual(['arn:aws:iam::000000000000:user/one']);
        expect(registry.manifestReads).toBe(1);
      } finally {
        const left = await Promise.all(tasks.map(({ arn }) => engine.containersOf(arn)));
        await Promise.all(left.flat().map((info) => engine.docker.getContainer(info.Id).remove({ force: true })));
        await engine.docker.getImage(image).remove({ force: true });
      }
    });

    test('containers start in the order of their dependencies, and a failed one keeps its dependents from starting', async () => {
      const good = await run(
        engine.container('init', 'exit 0', { essential: false }),
        engine.container('main', server, { dependsOn: [{ containerName: 'init', condition: 'SUCCESS' }] }),
      );
      const bad = await run(
        engine.container('init', 'exit 3', { essential: false }),
        engine.container('main', server, { dependsOn: [{ containerName: 'init', condition: 'SUCCESS' }] }),
      );
      const running = await plane.untilTask(good.id, 'RUNNING');
      expect(running.containers[0]).toMatchObject({ lastStatus: 'STOPPED', exitCode: 0 });
      const failed = await plane.untilTask(bad.id, 'STOPPED');
      expect(failed.stopCode).toBe('TaskFailedToStart');
      expect(failed.stoppedReason).toMatch(/init exited with code 3/);
      await plane.stopTask(good.id);
      await plane.untilTask(good.id, 'STOPPED');
    });

    test('a change of health reaches the records', async () => {
      const { id, arn } = await run(
        engine.container('main', server, {
          healthCheck: {
            command: ['CMD', '/bin/busybox', 'test', '!', '-e', '/tmp/sick'],
            interval: 1,
            retries: 1,
            timeout: 2,
          },
        }),
      );
      const health = (status: string): Promise<true> =>
        until(async () => ((await plane.task(id)).healthStatus === status ? true : undefined), `health ${status}`);
      await health('HEALTHY');
      const [container] = await engine.containersOf(arn);
      const exec = await engine.docker
        .getContainer(container?.Id ?? '')
        .exec({ Cmd: ['/bin/busybox', 'touch', '/tmp/sick'] });
      await exec.start({ Detach: true });
      expect(await health('UNHEALTHY')).toBe(true);
      await plane.stopTask(id);
      await plane.untilTask(id, 'STOPPED');
    });

    test('a restart policy restarts a container in place', async () => {
      const { id, arn } = await run(
        engine.container('main', 'busybox sleep 1; exit 1', {
          restartPolicy: { enabled: true, restartAttemptPeriod: 0 },
        }),
      );
      await plane.untilTask(id, 'RUNNING');
      const first = (await engine.containersOf(arn))[0]?.Id ?? '';
      const started = (await engine.docker.getContainer(first).inspect()).State.StartedAt;
      await until(async () => {
        const { State: state } = await engine.docker.getContainer(first).inspect();
        return state.Running && state.StartedAt !== started ? true : undefined;
      }, 'the same container running again');
      expect((await plane.task(id)).lastStatus).toBe('RUNNING');
      await plane.stopTask(id);
      await plane.untilTask(id, 'STOPPED');
    });

    test('volumes are shared between containers, environment and command overrides arrive', async () => {
      const definition = await plane.register({
        volumes: [{ name: 'shared', host: {} }],
        containerDefinitions: [
          engine.container('writer', 'echo "$GREETING" > /data/note', {
            essential: false,
            environment: [{ name: 'GREETING', value: 'of the definition' }],
            mountPoints: [{ sourceVolume: 'shared', containerPath: '/data' }],
          }),
          engine.container('reader', 'exit 9', {
            dependsOn: [{ containerName: 'writer', condition: 'SUCCESS' }],
            mountPoints: [{ sourceVolume: 'shared', containerPath: '/data', readOnly: true }],
          }),
        ],
      });
      const { id } = await plane.place(definition, instance, {
        overrides: {
          containerOverrides: [
            { name: 'writer', environment: [{ name: 'GREETING', value: 'overridden' }] },
            { name: 'reader', command: ['busybox grep -q overridden /data/note && exit 42'] },
          ],
        },
      });
      const task = await plane.untilTask(id, 'STOPPED');
      expect(task.containers.map(({ exitCode }) => exitCode)).toEqual([0, 42]);
    });

    test('containers, volumes and the file of a stopped task are removed after their time', async () => {
      const tidyDir = await engine.folder();
      const tidy = plane.agent({
        dataDir: tidyDir,
        cleanupAfter: 0,
        inspectEvery: 100,
        credentials: () => Promise.resolve(keysOf('two')),
      });
      try {
        const definition = await plane.register({
          volumes: [{ name: 'scratch', host: {} }],
          containerDefinitions: [
            engine.container('main', 'exit 0', {
              mountPoints: [{ sourceVolume: 'scratch', containerPath: '/scratch' }],
            }),
          ],
        });
        const task = await plane.place(definition, (await tidy.start()).containerInstanceArn);
        await plane.untilTask(task.id, 'STOPPED');
        const volumes = async (): Promise<string[]> => {
          const filters = { label: [`com.amazonaws.ecs.task-arn=${task.arn}`] };
          return (await engine.docker.listVolumes({ filters })).Volumes.map(({ Name }) => Name);
        };
        await until(
          async () => ((await readdir(join(tidyDir, 'tasks'))).length === 0 ? true : undefined),
          'no task file',
        );
        expect(await engine.containersOf(task.arn)).toEqual([]);
        expect(await volumes()).toEqual([]);
      } finally {
        await tidy.stop();
      }
    });

    test('F11: the engine sends logs to the address that was checked, and to no private one that is not open', async () => {
      const logging = (address: string) =>
        engine.container('main', server, {
          logConfiguration: { logDriver: 'gelf', options: { 'gelf-address': `udp://${address}:12201` } },
        });
      const { id, arn } = await run(logging('logs.example'));
      await plane.untilTask(id, 'RUNNING');
      const [container] = await engine.containersOf(arn);
      const { HostConfig } = await engine.docker.getContainer(container?.Id ?? '').inspect();
      expect(HostConfig.LogConfig).toEqual({ Type: 'gelf', Config: { 'gelf-address': 'udp://127.0.0.2:12201' } });
      await plane.stopTask(id);
      await plane.untilTask(id, 'STOPPED');

      const elsewhere = await plane.untilTask((await run(logging('elsewhere.example'))).id, 'STOPPED');
      expect(elsewhere.stoppedReason).toBe(
        "CannotCreateContainerError: The host 'elsewhere.example' of the log option 'gelf-address' resolves to 127.0.0.3, which is private. The operator can open its range with the agent's option allow.logAddresses.",
      );
      const literal = await plane.untilTask((await run(logging('10.1.2.3'))).id, 'STOPPED');
      expect(literal.stoppedReason).toMatch(
        /container main: The log option 'gelf-address' names 10.1.2.3, which is private/,
      );
    });

    test('what could let a task out of its container is refused, and the reason names it', async () => {
      const privileged = await run(engine.container('main', server, { privileged: true }));
      const mount = await plane.place(
        await plane.register({
          volumes: [{ name: 'root', host: { sourcePath: '/' } }],
          containerDefinitions: [
            engine.container('main', server, { mountPoints: [{ sourceVolume: 'root', containerPath: '/host' }] }),
          ],
        }),
        instance,
      );
      const first = await plane.untilTask(privileged.id, 'STOPPED');
      expect(first).toMatchObject({ stopCode: 'TaskFailedToStart' });
      expect(first.stoppedReason).toMatch(/privileged is denied .* allow\.privileged/);
      expect((await plane.untilTask(mount.id, 'STOPPED')).stoppedReason).toMatch(/host path \/ is denied/);
      expect(await engine.containersOf(privileged.arn)).toEqual([]);
    });

    test('a container that is removed by hand ends its task', async () => {
      const { id, arn } = await run(engine.container('main', server));
      await plane.untilTask(id, 'RUNNING');
      const [container] = await engine.containersOf(arn);
      await engine.docker.getContainer(container?.Id ?? '').remove({ force: true });
      expect((await plane.untilTask(id, 'STOPPED')).stopCode).toBe('EssentialContainerExited');
    });

    test('a restarted agent keeps its identity and adopts running containers; a stopped one is reported', async () => {
      const kept = await run(engine.container('main', server));
      const died = await run(engine.container('main', server));
      await plane.untilTask(kept.id, 'RUNNING');
      await plane.untilTask(died.id, 'RUNNING');
      const before = await engine.containersOf(kept.arn);
      await agent.stop();
      await plane.untilConnected(instance, false);
      const [victim] = await engine.containersOf(died.arn);
      await engine.docker.getContainer(victim?.Id ?? '').kill();

      agent = plane.agent({ dataDir });
      expect((await agent.start()).containerInstanceArn).toBe(instance);
      await plane.untilConnected(instance, true);
      const stopped = await plane.untilTask(died.id, 'STOPPED');
      expect(stopped.containers[0]?.exitCode).toBe(137);
      const after = await engine.containersOf(kept.arn);
      expect(after.map(({ Id, State }) => ({ Id, State }))).toEqual(before.map(({ Id }) => ({ Id, State: 'running' })));
      expect((await plane.task(kept.id)).lastStatus).toBe('RUNNING');
      await plane.stopTask(kept.id);
      await plane.untilTask(kept.id, 'STOPPED');
    });

    test('while the Docker engine is away nothing is forgotten and the instance takes no tasks', async () => {
      const proxy = new EngineProxy(join(await engine.folder(), 'docker.sock'));
      await proxy.open();
      const other = plane.agent({
        dataDir: await engine.folder(),
        docker: { socketPath: proxy.path },
        credentials: () => Promise.resolve(keysOf('two')),
      });
      try {
        const { containerInstanceArn } = await other.start();
        await plane.untilConnected(containerInstanceArn, true);
        const definition = await plane.register({ containerDefinitions: [engine.container('main', server)] });
        const kept = await plane.place(definition, containerInstanceArn);
        const died = await plane.place(definition, containerInstanceArn);
        await plane.untilTask(kept.id, 'RUNNING');
        await plane.untilTask(died.id, 'RUNNING');
        await proxy.close();
        expect(await plane.untilConnected(containerInstanceArn, false)).toMatchObject({ runtimeImpaired: true });
        const [victim] = await engine.containersOf(died.arn);
        await engine.docker.getContainer(victim?.Id ?? '').kill();
        const late = await plane.place(definition, containerInstanceArn);
        await proxy.open();
        await plane.untilConnected(containerInstanceArn, true);
        expect((await plane.untilTask(died.id, 'STOPPED')).containers[0]?.exitCode).toBe(137);
        await plane.untilTask(late.id, 'RUNNING');
        expect((await plane.task(kept.id)).lastStatus).toBe('RUNNING');
      } finally {
        await other.stop();
        await proxy.close();
      }
    });

    test('while the server is away containers run on; what happened is reported when it is back', async () => {
      const kept = await run(engine.container('main', server));
      const brief = await run(engine.container('main', 'busybox sleep 1; exit 5'));
      await plane.untilTask(kept.id, 'RUNNING');
      await plane.stopServer();
      const stop = plane.stopTask(kept.id);
      await until(
        async () => ((await engine.containersOf(brief.arn))[0]?.State === 'exited' ? true : undefined),
        'the brief task over',
      );
      await stop;
      expect((await engine.containersOf(kept.arn))[0]?.State).toBe('running');
      await plane.startServer();
      expect((await plane.untilTask(brief.id, 'STOPPED')).containers[0]?.exitCode).toBe(5);
      await plane.untilTask(kept.id, 'STOPPED');
      expect((await engine.containersOf(kept.arn))[0]?.State).toBe('exited');
      await plane.untilConnected(instance, true);
    });

    test('an agent stops what the control plane does not want, and says so about what it lost', async () => {
      const unwanted = await run(engine.container('main', server));
      await plane.untilTask(unwanted.id, 'RUNNING');
      await plane.stopServer();
      const record = await plane.task(unwanted.id);
      await plane.records.commit('ecs/000000000000/default', { remove: [`task/${record.id}`] });
      // Known as running, but no container of it exists.
      const definition = await plane.register({ containerDefinitions: [engine.container('main', server)] });
      const lost = await plane.place(definition, instance, { lastStatus: 'RUNNING', startedAt: Date.now() });
      await plane.startServer();
      const reported = await plane.untilTask(lost.id, 'STOPPED');
      expect(reported.stoppedReason).toMatch(/no longer has the containers/);
      await until(
        async () => ((await engine.containersOf(unwanted.arn))[0]?.State === 'exited' ? true : undefined),
        'the unwanted task stopped',
        120_000,
      );
      expect(await engine.containersOf(lost.arn)).toEqual([]);
    });
  },
);
