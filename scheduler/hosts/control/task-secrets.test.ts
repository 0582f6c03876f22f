import { AwsError } from '@slipway/auth/contract';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { AgentBench } from '../testing/agent-peer.ts';
import type { TestControlPlane } from '../testing/bench.ts';
import { principalOf } from '../testing/callers.ts';
import { taskSchema, withoutSecrets } from '../wire/index.ts';
import { type SecretNeed, TaskSecretsRefused } from './options.ts';
import { secretsAttribute } from './secret-needs.ts';

const executionRole = 'arn:aws:iam::000000000000:role/execution';
const secret = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf';
const canary = 'canary-83d0';

describe('secrets of tasks', { timeout: 120_000 }, () => {
  let bench: AgentBench;
  let plane: TestControlPlane;
  let asked: (readonly [string, readonly SecretNeed[]])[] = [];
  let failing: Error | undefined;

  beforeAll(async () => {
    bench = await AgentBench.open({
      taskCredentials: (roleArn) =>
        roleArn === executionRole
          ? Promise.resolve({
              accessKeyId: 'KEY',
              secretAccessKey: 'secret',
              sessionToken: 'token',
              expiresAt: Date.now() + 3_600_000,
              principal: principalOf('two'),
            })
          : Promise.reject(new AwsError('NoSuchEntityException', 'The role cannot be found.')),
      taskSecrets: (principal, needs) => {
        asked.push([principal.arn, needs]);
        if (failing !== undefined) return Promise.reject(failing);
        return Promise.resolve({ main: { environment: { PASSWORD: canary }, logOptions: {} } });
      },
    });
    ({ plane } = bench);
  });
  afterAll(() => bench[Symbol.asyncDispose]());

  const place = async (instance: string, more: object = {}) =>
    plane.place(
      await plane.register({
        executionRoleArn: executionRole,
        containerDefinitions: [
          {
            name: 'main',
            image: 'web',
            memory: 32,
            secrets: [{ name: 'PASSWORD', valueFrom: `${secret}:password::` }],
            repositoryCredentials: { credentialsParameter: secret },
          },
        ],
        ...more,
      }),
      instance,
    );
  /** An instance whose agent takes values, or one of amazon-ecs-agent. */
  const host = async (takes: boolean): Promise<string> => bench.register({}, takes ? [secretsAttribute] : []);

  test('travel in what is marked as secret to an agent that takes them, and are in no record', async () => {
    asked = [];
    const instance = await host(true);
    const task = await place(instance);
    const { task: sent } = await bench.connect(instance).payload(task.arn, 'RUNNING');
    expect(sent.secretValues).toEqual({ main: { environment: { PASSWORD: canary }, logOptions: {} } });
    expect(asked[0]).toEqual([
      principalOf('two').arn,
      [
        { container: 'main', kind: 'environment', name: 'PASSWORD', valueFrom: `${secret}:password::` },
        { container: 'main', kind: 'registry', name: '', valueFrom: secret },
      ],
    ]);
    expect(taskSchema.parse(sent)).toEqual(sent);
    const kept = JSON.stringify(withoutSecrets(sent));
    expect([kept.includes(canary), kept.includes('token'), kept.includes(`${secret}:password::`)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(sent.containers[0]?.registryAuthentication).toMatchObject({
      type: 'asm',
      asmAuthData: { credentialsParameter: secret },
    });
    const { names } = await plane.records.partitions();
    for (const name of names) expect(JSON.stringify(await plane.records.list(name))).not.toContain(canary);
  });

  test('are not sent to another agent, which is told where they come from', async () => {
    asked = [];
    const instance = await host(false);
    const task = await place(instance);
    const { task: sent } = await bench.connect(instance).payload(task.arn, 'RUNNING');
    expect([sent.secretValues, asked]).toEqual([undefined, []]);
    expect(sent.containers[0]?.secrets).toEqual([
      {
        name: 'PASSWORD',
        valueFrom: `${secret}:password::`,
        provider: 'asm',
        region: 'us-east-1',
        type: 'ENVIRONMENT_VARIABLE',
      },
    ]);
  });

  test('that cannot be had stop the task with the reason; a store that is away does not', async () => {
    const instance = await host(true);
    failing = new Error('the store is away');
    const waiting = await place(instance);
    const peer = bench.connect(instance);
    failing = new TaskSecretsRefused('ResourceInitializationError: invalid parameters: a');
    expect(await plane.untilTask(waiting.id, 'STOPPED')).toMatchObject({
      stopCode: 'TaskFailedToStart',
      stoppedReason: 'ResourceInitializationError: invalid parameters: a',
    });
    failing = undefined;
    const task = await place(instance);
    expect((await peer.payload(task.arn, 'RUNNING')).task.secretValues).toBeDefined();
    const without = await place(instance, { executionRoleArn: undefined });
    expect((await plane.untilTask(without.id, 'STOPPED')).stoppedReason).toMatch(
      /unable to find execution role credentials$/,
    );
  });

  test('that cannot be read now hold up no other task of the host', async () => {
    const instance = await host(true);
    failing = new Error('the sealed value cannot be opened');
    const waiting = await place(instance);
    const other = await plane.place(await bench.simple(), instance);
    const peer = bench.connect(instance);
    await peer.payload(other.arn, 'RUNNING');
    await peer.frame('TaskManifestMessage');
    expect((await plane.task(waiting.id)).lastStatus).toBe('PENDING');
    failing = undefined;
    expect((await peer.payload(waiting.arn, 'RUNNING')).task.secretValues).toBeDefined();
  });

  test('are not read again for a task that runs', async () => {
    const instance = await host(true);
    const task = await place(instance);
    await plane.putTask({ ...task, lastStatus: 'RUNNING', version: task.version + 1 });
    asked = [];
    const { task: sent } = await bench.connect(instance).payload(task.arn, 'RUNNING');
    expect([sent.secretValues, asked]).toEqual([undefined, []]);
  });
});
