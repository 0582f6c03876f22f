import type { Command } from 'commander';

/** The file that holds the whole agent, for hosts without this checkout. */
export const programName = 'slipway-agent.mjs';

/** What an agent is told on its command line, whether as `slipway agent` or as a program of its own. */
export function describeAgent(command: Command): Command {
  return command
    .description("run a container agent for this machine's Docker engine (credentials and endpoint: AWS_* variables)")
    .option('--cluster <name>', 'cluster to join', 'default')
    .option('--data <folder>', "the agent's own state", 'data/agent')
    .option('--endpoint <url>', 'where Slipway answers', process.env['AWS_ENDPOINT_URL'])
    .option('--allow <what...>', 'allow tasks what is denied by default (see scheduler/README.md)')
    .option(
      '--registries <names...>',
      'registries that tasks may pull from beside the server (default: any at a public address)',
    )
    .action(
      async (options: { cluster: string; data: string; endpoint?: string; allow?: string[]; registries?: string[] }) =>
        (await import('./agent.ts')).agent(options),
    );
}
