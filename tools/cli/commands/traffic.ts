import type { Command } from 'commander';

/** Load balancers and hosts. */
export function addTraffic(program: Command): void {
  program
    .command('expose')
    .description('give a service a load balancer and print its URL; a second run changes nothing')
    .argument('<cluster/service>', 'the service; its containers have a container port')
    .option('--port <port>', 'the port that clients use', '80')
    .option('--container <name>', 'the container that gets the requests, where several have ports')
    .option('--container-port <port>', 'its port, where it has several')
    .option('--name <name>', 'of the load balancer (default: the name of the service)')
    .option('--health-path <path>', 'what targets are asked for; they are healthy when they answer 200', '/')
    .option('--from <range>', 'who may connect, as a CIDR block', '0.0.0.0/0')
    .option('--no-wait', 'do not wait until a task answers')
    .option('--remove', 'take the service out of its load balancer again, and remove that')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, options: import('../expose.ts').ExposeOptions) =>
      (await import('../expose.ts')).expose(service, options),
    );

  const lb = program.command('lb').description('load balancers: where they are reached, and what they carry');
  lb.command('list')
    .description('list the load balancers with their state and URLs')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: { output: string }) => (await import('../lb.ts')).listBalancers(options));
  lb.command('show')
    .description(
      'show a load balancer: engines and what they have acknowledged, listeners, rules, targets with their health, requests, answers and latencies',
    )
    .argument('<name>', 'its name')
    .option('--output <format>', 'text or json', 'text')
    .action(async (name: string, options: { output: string }) =>
      (await import('../lb.ts')).showBalancer(name, options),
    );

  const hosts = program
    .command('hosts')
    .description('hosts: what runs and what is free on them, and what becomes of them');
  hosts
    .command('list', { isDefault: true })
    .description('list the hosts of a cluster')
    .option('--cluster <name>', 'the cluster', 'default')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: { cluster: string; output: string }) => (await import('../hosts.ts')).listHosts(options));
  hosts
    .command('reclaim')
    .description(
      'take a host back that was joined with --spot: its tasks have two minutes, those of services are replaced',
    )
    .argument('<host>', 'ARN or id of its container instance, or how the id begins')
    .option('--cluster <name>', 'its cluster', 'default')
    .option('--output <format>', 'text or json', 'text')
    .action(async (host: string, options: { cluster: string; output: string }) =>
      (await import('../hosts.ts')).reclaimHost(host, options),
    );
}
