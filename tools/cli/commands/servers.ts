import type { Command } from 'commander';
import { describeAgent, programName } from '../agent-command.ts';
import type { BalancerFlags } from '../balancer.ts';

/** What serves: servers, agents of hosts, engines of load balancers. */
export function addServers(program: Command): void {
  program
    .command('serve')
    .description(
      'serve the registry, the scheduler and, with a Docker engine at hand, an agent (settings: SLIPWAY_* variables)',
    )
    .action(async () => (await import('../serve.ts')).serve());

  program
    .command('env')
    .description('print AWS_* variables for the shell: eval "$(npx slipway env)"')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .option(
      '--recover',
      "first write the administrator's key to its file again, with the server's own SLIPWAY_* variables",
    )
    .action(async (options: { data: string; output: string; recover?: true }) => {
      const env = await import('../env.ts');
      if (options.recover) await env.recoverCredentials(options.data);
      env.printEnv(options);
    });

  const agent = describeAgent(program.command('agent'));
  agent
    .command('bundle')
    .description('write the agent as one file that a host runs with Node 26 alone, without this checkout')
    .option('-o, --out <file>', 'where to', programName)
    .action(async (options: { out: string }) => (await import('../agent-bundle.ts')).bundleAgent(options.out));

  program
    .command('balancer')
    .description(
      'carry the traffic of load balancers on this host, as servers tell it to (credentials: AWS_* variables, of a principal with slipway:CarryTraffic)',
    )
    .option('--name <name>', 'what the servers know this host by; default: its host name')
    .option('--endpoint <url>', 'where Slipway answers: AWS_ENDPOINT_URL')
    .option('--engine <kind>', 'haproxy, embedded, or auto: HAProxy where it is installed', 'auto')
    .option('--data <folder>', "the engine's own files; default: /var/lib/slipway/balancer (root)")
    .option('--leave', 'end the engine of this host with all its connections, and have the servers forget it')
    .action(async (options: BalancerFlags) => (await import('../balancer.ts')).balancer(options));
}
