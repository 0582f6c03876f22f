import type { Command } from 'commander';
import type { AgentCommand } from './agent.ts';

/** The file that holds the whole agent, for hosts without this checkout. */
export const programName = 'slipway-agent.mjs';

/** What an agent is told on its command line, whether as `slipway agent` or as a program of its own. */
export function describeAgent(command: Command): Command {
  return command
    .description(
      "run a container agent for this machine's Docker engine (credentials: AWS_* variables; the options also as ECS_* variables)",
    )
    .option('--cluster <name>', 'cluster to join: ECS_CLUSTER, or default')
    .option('--data <folder>', "the agent's own state: ECS_DATADIR, or /var/lib/slipway/agent (root)")
    .option('--endpoint <url>', 'where Slipway answers: AWS_ENDPOINT_URL or ECS_BACKEND_HOST')
    .option('--zone <name>', 'availability zone of this host, for spread and constraints')
    .option('--attribute <name=value...>', 'custom attributes of this host, beside ECS_INSTANCE_ATTRIBUTES (JSON)')
    .option('--fargate <on|off>', 'whether tasks of Fargate may come here: SLIPWAY_FARGATE (auto, off), or on')
    .option(
      '--isolation <runtime>',
      "the Docker engine's runtime (gVisor, Kata) that tasks of Fargate are isolated by: SLIPWAY_ISOLATION",
    )
    .option('--spot', 'this host may be taken back (slipway hosts reclaim): SLIPWAY_SPOT (true, false)')
    .option('--config <file>', 'file of variables, after the environment; default /etc/ecs/ecs.config')
    .option('--allow <what...>', 'allow tasks what is denied by default (see scheduler/hosts/agents.md)')
    .option(
      '--registries <names...>',
      'registries that tasks may pull from beside the server (default: any at a public address)',
    )
    .action(async (options: AgentCommand) => (await import('./agent.ts')).agent(options));
}
