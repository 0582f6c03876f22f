import { execFileSync } from 'node:child_process';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import type { AttachmentRecord } from '../../state/index.ts';
import { noHostNetworks } from '../control/index.ts';
import type { NetworkState } from '../wire/index.ts';
import { endBench, TestControlPlane, until } from '../testing/bench.ts';
import { engineMissing, networkMissing, server, TestEngine } from '../testing/test-engine.ts';
import { ownMachine } from '../testing/namespaces.ts';
import type { Agent } from './index.ts';

const missing = (await engineMissing()) ?? (await ownMachine()) ?? (await networkMissing());

/** Addresses for measurements between networks (RFC 2544), which nobody else has. */
let given = 0;
function attachment(securityGroups: readonly string[]): AttachmentRecord {
  given += 1;
  const hex = given.toString(16).padStart(2, '0');
  const address = `198.19.3.${given}`;
  return {
    id: `5c0f6f4e-7a0f-4f0a-9a53-0000000000${hex}`,
    networkInterface: `eni-000000000000000${hex}`,
    subnet: 'subnet-1',
    vpc: 'vpc-1',
    address,
    mac: `02:00:00:00:03:${hex}`,
    privateDnsName: `ip-198-19-3-${given}.ec2.internal`,
    securityGroups,
    outside: false,
  };
}

const everybody = [{ protocol: '-1' as const, peer: { cidr: '0.0.0.0/0' } }];

describe.skipIf(missing !== undefined && !process.env['CI'])(
  'tasks with network interfaces of their own beside a Docker engine',
  { timeout: 180_000 },
  () => {
    let plane: TestControlPlane;
    let engine: TestEngine;
    let agent: Agent;
    let dataDir: string;
    let instance: string;
    let state: NetworkState = {
      address: '127.0.0.1',
      blocks: [{ cidr: '198.19.3.0/24', vpc: 'vpc-1' }],
      groups: [
        { id: 'sg-open', ingress: everybody, egress: everybody },
        { id: 'sg-shut', ingress: [], egress: everybody },
      ],
      members: {},
      peers: [],
    };
    const watchers = new Set<() => void>();
    let release: (networkInterface: string) => Promise<void> = async () => undefined;
    const start = async (): Promise<void> => {
      agent = plane.agent({ dataDir, taskNetwork: 'auto', inspectEvery: 200 });
      instance = await plane.join(agent);
    };

    beforeAll(async () => {
      if (missing !== undefined) throw new Error(missing);
      engine = await TestEngine.open();
      plane = await TestControlPlane.open({
        networks: {
          ...noHostNetworks,
          attach: () => Promise.reject(new Error('not yet')),
          of: () => state,
          release: (_ref, networkInterface) => release(networkInterface),
          watch: (_account, changed) => {
            watchers.add(changed);
            return () => watchers.delete(changed);
          },
        },
      });
      dataDir = await engine.folder();
      await start();
    }, 120_000);

    afterAll(() => endBench(agent, plane, engine), 120_000);

    const run = async (
      own: AttachmentRecord | undefined,
      ...containers: Parameters<TestControlPlane['register']>[0]['containerDefinitions'] & object
    ) =>
      plane.place(await plane.register({ networkMode: 'awsvpc', containerDefinitions: containers }), instance, {
        network: {
          subnets: ['subnet-1'],
          zones: ['us-east-1a'],
          securityGroups: ['sg-open'],
          assignPublicIp: 'DISABLED',
        },
        ...(own === undefined ? {} : { attachment: own }),
      });

    const inside = async (arn: string, name: string, script: string): Promise<string> => {
      const found = await engine.containersOf(arn);
      const id = found.find(({ Labels }) => Labels['com.amazonaws.ecs.container-name'] === name)?.Id ?? '';
      return execFileSync('docker', ['exec', id, '/bin/busybox', 'sh', '-c', `${script} 2>&1; exit 0`]).toString();
    };
    const web = 'mkdir -p /tmp/w; hostname > /tmp/w/index.html; exec busybox httpd -f -p 8080 -h /tmp/w';
    const fetchFrom = (address: string): string =>
      `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 2 ${address} 8080`;

    test('the host says that it gives tasks interfaces', async () => {
      const names = (await plane.instance(instance)).attributes.map(({ name }) => name);
      expect(names).toContain('ecs.capability.task-eni');
    });

    test('its containers share the address and localhost; other tasks reach it where its groups let them', async () => {
      const [one, two, shut] = [attachment(['sg-open']), attachment(['sg-open']), attachment(['sg-shut'])];
      const tasks = await Promise.all([
        run(one, engine.container('web', web), engine.container('side', server)),
        run(two, engine.container('asks', server)),
        run(shut, engine.container('web', web)),
      ]);
      for (const { id } of tasks) await plane.untilTask(id, 'RUNNING');
      const [first, second] = tasks;
      const name = `ip-198-19-3-${one.address.split('.').at(-1)}`;
      expect(
        await until(async () => {
          const said = await inside(first?.arn ?? '', 'side', fetchFrom('127.0.0.1'));
          return said.includes(name) ? said : undefined;
        }, 'the other container at localhost'),
      ).toContain(name);
      await until(async () => {
        const said = await inside(second?.arn ?? '', 'asks', fetchFrom(one.address));
        return said.includes(name) ? said : undefined;
      }, 'the first task from the second');
      expect(await inside(second?.arn ?? '', 'asks', fetchFrom(shut.address))).not.toContain('ip-');
      // The container that holds the interface is the agent's own business.
      const record = await plane.task(first?.id ?? '');
      expect(record.containers.map((container) => container.name)).toEqual(['web', 'side']);

      // What a group lets through changes while its tasks run.
      state = { ...state, groups: state.groups.map((group) => ({ ...group, ingress: everybody })) };
      for (const changed of watchers) changed();
      await until(async () => {
        const said = await inside(second?.arn ?? '', 'asks', fetchFrom(shut.address));
        return said.includes('ip-') ? said : undefined;
      }, 'the group that was opened');

      // A container that is started again finds the address as it was.
      await Promise.all(tasks.map(({ id }) => plane.stopTask(id)));
      for (const { id } of tasks) await plane.untilTask(id, 'STOPPED');
      expect(execFileSync('ip', ['route']).toString()).not.toContain('198.19.3.');
    });

    test('its end is DEPROVISIONING until the interface is given back', async () => {
      const own = attachment(['sg-open']);
      const { id } = await run(own, engine.container('main', server));
      await plane.untilTask(id, 'RUNNING');
      const held = Promise.withResolvers<void>();
      release = async (networkInterface) => {
        if (networkInterface === own.networkInterface) await held.promise;
      };
      await plane.stopTask(id);
      const ending = await plane.untilTask(id, 'DEPROVISIONING');
      expect(ending.containers.map(({ lastStatus }) => lastStatus)).toEqual(['STOPPED']);
      expect(ending.stoppedAt).toBeUndefined();
      held.resolve();
      expect((await plane.untilTask(id, 'STOPPED')).stopCode).toBe('UserInitiated');
    });

    test('a task that has no interface yet waits; with it, it starts', async () => {
      const { id, arn } = await run(undefined, engine.container('main', server));
      const other = await run(attachment(['sg-open']), engine.container('main', server));
      await plane.untilTask(other.id, 'RUNNING');
      expect(await engine.containersOf(arn)).toEqual([]);
      await plane.putTask({ ...(await plane.task(id)), attachment: attachment(['sg-open']) });
      await plane.untilTask(id, 'RUNNING');
      for (const task of [id, other.id]) await plane.stopTask(task);
      for (const task of [id, other.id]) await plane.untilTask(task, 'STOPPED');
    });

    test('an agent that was away finds the interfaces as they were, and what stopped meanwhile leaves none', async () => {
      const [stays, goes] = [attachment(['sg-open']), attachment(['sg-open'])];
      const tasks = await Promise.all([stays, goes].map((own) => run(own, engine.container('web', web))));
      for (const { id } of tasks) await plane.untilTask(id, 'RUNNING');
      await agent.stop();
      for (const info of await engine.containersOf(tasks[1]?.arn ?? '')) {
        await engine.docker
          .getContainer(info.Id)
          .kill()
          .catch(() => undefined);
      }
      await start();
      await plane.untilTask(tasks[1]?.id ?? '', 'STOPPED');
      const asks = await run(attachment(['sg-open']), engine.container('asks', server));
      await plane.untilTask(asks.id, 'RUNNING');
      await until(async () => {
        const said = await inside(asks.arn, 'asks', fetchFrom(stays.address));
        return said.includes('ip-') ? said : undefined;
      }, 'the task that stayed');
      expect(execFileSync('ip', ['route']).toString()).not.toContain(`${goes.address} `);
      for (const id of [tasks[0]?.id ?? '', asks.id]) await plane.stopTask(id);
      for (const id of [tasks[0]?.id ?? '', asks.id]) await plane.untilTask(id, 'STOPPED');
    });

    test('an interface that cannot be made ends the task with the reason', async () => {
      // An address that two links cannot both have in one namespace is not the agent's to refuse; a taken name is.
      const { id } = await run(
        { ...attachment(['sg-open']), mac: 'ff:ff:ff:ff:ff:ff' },
        engine.container('main', server),
      );
      const task = await plane.untilTask(id, 'STOPPED');
      expect(task.stopCode).toBe('TaskFailedToStart');
      expect(task.stoppedReason).toMatch(/^ResourceInitializationError: .*address/i);
    });
  },
);
