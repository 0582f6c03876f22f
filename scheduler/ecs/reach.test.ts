import {
  type ContainerDefinition,
  CreateServiceCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  StartTaskCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { serverReach, type TaskReach } from '../reach/index.ts';

import { openApi, type TestApi } from './testing/open-api.ts';

/** What an operator set, which may change after something was registered. */
const ownHost = (host: string): boolean => host === '127.0.0.1:7500';
let set = serverReach({ ownHost });
const reach: TaskReach = {
  ownHost,
  get logs() {
    return set.logs;
  },
  get registries() {
    return set.registries;
  },
};

let api: TestApi;
beforeAll(async () => {
  api = await openApi({ reach });
});
afterAll(() => api[Symbol.asyncDispose]());

const register = (family: string, members: Partial<ContainerDefinition>) =>
  api.ecs.send(
    new RegisterTaskDefinitionCommand({
      family,
      containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64, ...members }],
    }),
  );
const gelf = (address: string): Partial<ContainerDefinition> => ({
  logConfiguration: { logDriver: 'gelf', options: { 'gelf-address': address } },
});

describe('F11: what engines would have to connect to', () => {
  test('is checked when a definition is registered', async () => {
    await expect(register('a', gelf('udp://10.0.0.5:12201'))).rejects.toMatchObject({
      name: 'ClientException',
      message:
        "Invalid setting for container 'main'. The log option 'gelf-address' names 10.0.0.5, which is private. An operator can open its range with SLIPWAY_TASK_LOG_ALLOW.",
    });
    await expect(register('a', { image: '169.254.169.254/latest' })).rejects.toThrow('no registry');
    set = serverReach({ registries: ['ghcr.io'] });
    await expect(register('a', { image: 'quay.io/x' })).rejects.toMatchObject({
      name: 'ClientException',
      message:
        "Invalid setting for container 'main'. The image 'quay.io/x' is on quay.io, a registry that tasks may not pull from. An operator can name it in SLIPWAY_TASK_REGISTRIES.",
    });
    await register('a', { image: '127.0.0.1:7500/web' });
    set = serverReach({});
  });

  test('is checked again when something is to run it: settings change', async () => {
    set = serverReach({ logAllow: ['10.0.0.0/8'] });
    await register('web', {});
    await register('logs', gelf('udp://10.0.0.5:12201'));
    await register('image', { image: 'quay.io/x' });
    const instance = await api.addInstance();
    await api.ecs.send(new CreateServiceCommand({ serviceName: 'web', taskDefinition: 'web', desiredCount: 0 }));
    const uses = (taskDefinition: string) => [
      new RunTaskCommand({ taskDefinition }),
      new StartTaskCommand({ taskDefinition, containerInstances: [instance] }),
      new CreateServiceCommand({ serviceName: taskDefinition, taskDefinition, desiredCount: 0 }),
      new UpdateServiceCommand({ service: 'web', taskDefinition }),
    ];
    set = serverReach({ registries: ['docker.io'] });
    for (const [definition, reason] of [
      ['logs', 'which is private'],
      ['image', 'may not pull from'],
    ] as const) {
      for (const command of uses(definition)) {
        const refusal = api.ecs.send(command as RunTaskCommand);
        await expect(refusal, command.constructor.name).rejects.toThrow(reason);
        await expect(refusal).rejects.toMatchObject({ name: 'ClientException' });
      }
    }
    set = serverReach({ logAllow: ['10.0.0.0/8'] });
    for (const command of uses('logs')) await api.ecs.send(command as RunTaskCommand);
  });
});
