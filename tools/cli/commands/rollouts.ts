import type { Command } from 'commander';

/** How services get from one revision, or one count, to the next. */
export function addRollouts(program: Command): void {
  program
    .command('follow')
    .description('roll a service out by itself when a new image is pushed to what it follows')
    .argument('<cluster/service>', 'the service')
    .option('--pattern <glob>', 'follow tags that match, e.g. "v*"')
    .option('--semver <range>', 'follow version tags in a range, e.g. "^1.4"')
    .option('--off', 'stop following')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, options: { pattern?: string; semver?: string; off?: boolean; output: string }) =>
      (await import('../follow.ts')).follow(service, options),
    );

  program
    .command('deploy')
    .description(
      'register a revision with another image and have a service deploy it, by the strategy that it has, or by CodeDeploy',
    )
    .argument('<cluster/service>', 'the service')
    .requiredOption('--image <image>', 'the image; one that the service names already is deployed again')
    .option('--container <name>', 'the container that gets it, where that is not clear')
    .option('--wait', 'follow the deployment to its end (exit 3: it did not succeed)')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, options: import('../deploy.ts').DeployOptions) =>
      (await import('../deploy.ts')).deploy(service, options),
    );

  program
    .command('strategy')
    .description(
      'have the deployments of a service shift the traffic of its load balancer from one revision to the next',
    )
    .argument('<cluster/service>', 'the service, which slipway expose gave a load balancer')
    .argument('<strategy>', 'blue-green, linear or canary')
    .option('--bake <minutes>', 'how long the old revision stays after all traffic has left it', '5')
    .option('--judge <rule>', 'judge steps by what load balancers count: true, failed:1 slow:off …, or off')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, strategy: string, options: import('../strategy.ts').StrategyOptions) =>
      (await import('../strategy.ts')).setStrategy(service, strategy, options),
    );

  program
    .command('scale')
    .description(
      'set the count of a service, or have it follow what its tasks use; without options, show how it is scaled',
    )
    .argument('<cluster/service>', 'the service')
    .argument('[count]', 'so many tasks, now')
    .option('--min <count>', 'never fewer tasks than that')
    .option('--max <count>', 'never more tasks than that')
    .option('--cpu <percent>', 'as many tasks as keep the CPU that they use at this part of what they reserve')
    .option('--memory <percent>', 'the same of memory')
    .option('--off', 'let the count stay as it is from now on: removes bounds, policies and schedules')
    .option('--svg <file>', 'write the picture of what is forecast, and what came of it')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, count: string | undefined, options: import('../scale.ts').ScaleOptions) =>
      (await import('../scale.ts')).scale(service, count, options),
    );

  const deployments = program
    .command('deployments')
    .description("a service's deployments, of ECS, CodeDeploy or task sets: how they go, and what people decide");
  const service = [
    '<cluster/service>',
    'the service; or alone what names a deployment: its ARN, or d-… of CodeDeploy',
  ] as const;
  deployments
    .command('list')
    .description('list the deployments of the last 90 days, newest first, or the task sets')
    .argument('<cluster/service>', 'the service')
    .option('--output <format>', 'text or json', 'text')
    .action(async (named: string, options: { output: string }) =>
      (await import('../deployments.ts')).listDeployments(named, options),
    );
  for (const [action, description] of [
    ['show', 'show stage, weights, tasks and hooks of a deployment, and what it waits for'],
    ['watch', 'print a line for every change of a deployment until it is over (exit 3: it did not succeed)'],
  ] as const) {
    deployments
      .command(action)
      .description(description)
      .argument(...service)
      .argument(
        '[deployment]',
        'its id, ARN or the last part of that, as list or explain show them; default: the newest',
      )
      .option('--output <format>', action === 'watch' ? 'text, or json: an object a line' : 'text or json', 'text')
      .action(async (named: string, id: string | undefined, options: { output: string }) => {
        const { showDeployment, watchDeployment } = await import('../deployments.ts');
        await (action === 'show' ? showDeployment : watchDeployment)(named, id, options);
      });
  }
  deployments
    .command('continue')
    .description('let the newest deployment go on, which waits for a person')
    .argument(...service)
    .option('--hook <id>', 'which hook, where several wait')
    .option('--end-old', 'of CodeDeploy: do not wait any longer with the end of the old tasks')
    .option('--output <format>', 'text or json', 'text')
    .action(async (named: string, options: { hook?: string; endOld?: true; output: string }) =>
      (await import('../deployments.ts')).continueDeployment(named, options),
    );
  for (const [action, stopType, description] of [
    ['rollback', 'ROLLBACK', 'shift traffic back to the old revision, and end the tasks of the new one'],
    [
      'stop',
      'ABORT',
      'the same at once: without asking hooks; of CodeDeploy: stop where it is, and go back if its group says so',
    ],
  ] as const) {
    deployments
      .command(action)
      .description(description)
      .argument(...service)
      .option('--output <format>', 'text or json', 'text')
      .action(async (named: string, options: { output: string }) =>
        (await import('../deployments.ts')).stopDeployment(named, stopType, options),
      );
  }
}
