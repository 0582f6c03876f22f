import { setTimeout as sleep } from 'node:timers/promises';
import {
  CreateServiceCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  RegisterTaskDefinitionCommand,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { AwsCli, ecsClient, LocalStage, until, webImage } from '../../testbed/index.ts';

/** Milliseconds after which what tasks used before counts no more, three looks and one that was under way, and a new task counts. */
const calm = 60_000;
const patience = 300_000;

const target = [
  '--service-namespace=ecs',
  '--resource-id=service/default/busy',
  '--scalable-dimension=ecs:service:DesiredCount',
];

/** A task that does nothing until there is a file, and all that it can from then on. */
const command = [
  'sh',
  '-c',
  'while :; do if [ -e /busy ]; then i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; else sleep 1; fi; done',
];

/**
 * How long it takes from a task that becomes busy to another one that runs, where target tracking holds the CPU of a service at 50 %: on a server with
 * its own agent on this machine's Docker engine, with the image at hand.
 * @param rounds how often
 * @returns milliseconds of each round
 */
export async function measureSteps(rounds: number): Promise<readonly number[]> {
  await using stage = new LocalStage('bench-scaling');
  const server = await stage.serve({ SLIPWAY_WORKERS: '1' });
  await stage.host();
  const image = await stage.push('busy:1', webImage('', 'busy'));
  const ecs = ecsClient(server);
  const aws = new AwsCli(server.aws());
  try {
    const container = { name: 'busy', image, cpu: 16, memory: 32, stopTimeout: 2, command };
    await ecs.send(new RegisterTaskDefinitionCommand({ family: 'busy', containerDefinitions: [container] }));
    await ecs.send(new CreateServiceCommand({ serviceName: 'busy', taskDefinition: 'busy', desiredCount: 1 }));
    const scaling = (name: string, ...more: readonly string[]): Promise<unknown> =>
      aws.json(['application-autoscaling', name, ...target, ...more]);
    await scaling('register-scalable-target', '--min-capacity=1', '--max-capacity=4');
    const metric = { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' };
    await scaling(
      'put-scaling-policy',
      '--policy-name=cpu',
      '--policy-type=TargetTrackingScaling',
      '--target-tracking-scaling-policy-configuration',
      JSON.stringify({ TargetValue: 50, PredefinedMetricSpecification: metric }),
    );
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      const [before = ''] = await until('one task', patience, async () => {
        const found = await runningTasks(ecs);
        return found.length === 1 ? found : undefined;
      });
      // The step falls anywhere between two looks.
      await sleep(calm + Math.random() * 10_000);
      const label = `label=com.amazonaws.ecs.task-arn=${before}`;
      const id = (await stage.docker.check(['ps', '-q', '--filter', label])).trim();
      await stage.docker.check(['exec', id, 'busybox', 'touch', '/busy']);
      const began = performance.now();
      await until('another task', patience, async () => (await runningTasks(ecs)).length > 1, 100);
      times.push(performance.now() - began);
      await stage.docker.check(['exec', id, 'busybox', 'rm', '/busy']);
      await sleep(calm);
      await ecs.send(new UpdateServiceCommand({ service: 'busy', desiredCount: 1 }));
    }
    await ecs.send(new UpdateServiceCommand({ service: 'busy', desiredCount: 0 }));
    await until('no task', patience, async () => (await runningTasks(ecs)).length === 0);
    return times;
  } finally {
    ecs.destroy();
  }
}

async function runningTasks(ecs: ECSClient): Promise<readonly string[]> {
  const { taskArns = [] } = await ecs.send(new ListTasksCommand({ serviceName: 'busy' }));
  if (taskArns.length === 0) return [];
  const { tasks = [] } = await ecs.send(new DescribeTasksCommand({ tasks: taskArns }));
  return tasks.flatMap(({ lastStatus, taskArn }) =>
    lastStatus === 'RUNNING' && taskArn !== undefined ? [taskArn] : [],
  );
}
