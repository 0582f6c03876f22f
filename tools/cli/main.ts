import { Command } from 'commander';
import { CliError, fail } from './errors.ts';

/** The `slipway` command. Each subcommand is loaded when it is called, so that short ones start fast. */
if (!process.versions.node.startsWith('26.')) {
  fail(`this is Node ${process.versions.node}; start it with tools/bin/slipway, which finds the pinned Node 26`);
}

const program = new Command('slipway')
  .description('ECR and ECS on your own machines: a container registry and a scheduler behind the AWS APIs.')
  .version('0.1.0')
  .showHelpAfterError('(run with --help for the options)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

program
  .command('serve')
  .description(
    'serve the registry, the scheduler and, with a Docker engine at hand, an agent (settings: SLIPWAY_* variables)',
  )
  .action(async () => (await import('./serve.ts')).serve());

program
  .command('env')
  .description('print AWS_* variables for the shell: eval "$(npx slipway env)"')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { data: string; output: string }) => (await import('./env.ts')).printEnv(options));

program
  .command('agent')
  .description("run a container agent for this machine's Docker engine (credentials and endpoint: AWS_* variables)")
  .option('--cluster <name>', 'cluster to join', 'default')
  .option('--data <folder>', "the agent's own state", 'data/agent')
  .option('--endpoint <url>', 'where Slipway answers', process.env['AWS_ENDPOINT_URL'])
  .option('--allow <what...>', 'allow tasks what is denied by default (see scheduler/README.md)')
  .action(async (options: { cluster: string; data: string; endpoint?: string; allow?: string[] }) =>
    (await import('./agent.ts')).agent(options),
  );

program
  .command('follow')
  .description('roll a service out by itself when a new image is pushed to what it follows')
  .argument('<cluster/service>', 'the service')
  .option('--pattern <glob>', 'follow tags that match, e.g. "v*"')
  .option('--semver <range>', 'follow version tags in a range, e.g. "^1.4"')
  .option('--off', 'stop following')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, options: { pattern?: string; semver?: string; off?: boolean; output: string }) =>
    (await import('./follow.ts')).follow(service, options),
  );

program
  .command('explain')
  .description('say what a service is doing, what it waits for, and what failed last')
  .argument('<cluster/service>', 'the service')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, options: { output: string }) =>
    (await import('./explain.ts')).explain(service, options),
  );

program
  .command('doctor')
  .description('check this machine and the running server, and say what to do about what is wrong')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { data: string; output: string }) => (await import('./doctor.ts')).doctor(options));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CliError) fail(error.message, error.exitCode);
  const { message, name } = error as Error;
  fail(name === 'Error' ? message : `${name}: ${message}`);
}
