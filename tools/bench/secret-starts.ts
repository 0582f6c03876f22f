import {
  DescribeTasksCommand,
  type ECSClient,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
} from '@aws-sdk/client-ecs';
import { AwsCli, ecsClient, LocalStage, makeImage, until, webImage } from '../testbed/index.ts';
import { median, quantile, type Row, short } from './results.ts';

/** Values of a task: half of them secrets, half secure strings. */
const values = 20;

/**
 * What 20 values add to the start of a task: tasks with and without them in turns, from the moment that one is asked for to its container's start,
 * as the API tells both.
 * @param starts of each
 */
export async function secretStartRows(starts: number): Promise<Row[]> {
  await using stage = new LocalStage('bench-starts');
  const image = `${stage.image}:latest`;
  await makeImage(stage.docker, webImage(image, 'hello'));
  const server = await stage.serve({
    ECS_IMAGE_PULL_BEHAVIOR: 'prefer-cached',
    ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION: '1s',
  });
  await stage.host();
  const aws = new AwsCli(server.aws());
  const executionRoleArn = await stage.executionRole();
  await stage.allowExecution(['secretsmanager:GetSecretValue', 'ssm:GetParameters']);
  const secrets: { readonly name: string; readonly valueFrom: string }[] = [];
  for (let index = 0; index < values; index += 1) {
    const name = `/bench/${index}`;
    const isSecret = index % 2 === 0;
    const { ARN } = await aws.json<{ readonly ARN?: string }>(
      isSecret
        ? ['secretsmanager', 'create-secret', '--name', name, '--secret-string', `value ${index}`]
        : ['ssm', 'put-parameter', '--name', name, '--type', 'SecureString', '--value', `value ${index}`],
    );
    secrets.push({ name: `VALUE_${index}`, valueFrom: ARN ?? name });
  }
  const ecs = ecsClient(server);
  for (const [family, given] of Object.entries({ plain: [], secret: secrets }))
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family,
        executionRoleArn,
        containerDefinitions: [{ name: 'web', image, memory: 32, command: ['/bin/sleep', '2'], secrets: given }],
      }),
    );
  const [plain, secret, added]: [number[], number[], number[]] = [[], [], []];
  // The first of each is left out: what is loaded once is no task's.
  for (let turn = -1; turn < starts; turn += 1) {
    const order = turn % 2 === 0 ? (['plain', 'secret'] as const) : (['secret', 'plain'] as const);
    const took: Record<string, number> = {};
    for (const family of order) took[family] = await startOf(ecs, family);
    const { plain: without = 0, secret: withThem = 0 } = took;
    if (turn < 0) continue;
    plain.push(without);
    secret.push(withThem);
    added.push(withThem - without);
  }
  ecs.destroy();
  const ms = (sample: readonly number[], q: number): string => `${short(quantile(sample, q))} ms`;
  return [
    {
      what: `what ${values} values add to the start of a task, median of ${starts} pairs in turns (a quarter to three quarters of them)`,
      ours: `${ms(added, 0.5)} (${ms(added, 0.25)} to ${ms(added, 0.75)}); starts ${ms(secret, 0.5)}`,
      peer: `starts ${ms(plain, 0.5)} (without values)`,
      ratio: short(median(secret) / median(plain)),
      goal: 'under 50 ms',
    },
  ];
}

/** Milliseconds from a task's making to its container's start. */
async function startOf(ecs: ECSClient, taskDefinition: string): Promise<number> {
  const { tasks, failures } = await ecs.send(new RunTaskCommand({ taskDefinition }));
  const taskArn = tasks?.[0]?.taskArn;
  if (taskArn === undefined) throw new Error(JSON.stringify(failures));
  const seen = async () => (await ecs.send(new DescribeTasksCommand({ tasks: [taskArn] }))).tasks?.[0];
  const task = await until('the start of a task', 120_000, async () => {
    const one = await seen();
    if (one?.stoppedReason !== undefined && one.startedAt === undefined) throw new Error(one.stoppedReason);
    return one?.startedAt === undefined ? undefined : one;
  });
  // Whoever ends beside the next one's start would be measured with it.
  await until('its end', 120_000, async () => (await seen())?.lastStatus === 'STOPPED');
  return (task.startedAt?.getTime() ?? 0) - (task.createdAt?.getTime() ?? 0);
}
