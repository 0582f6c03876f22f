import type { Command } from 'commander';

/** Secrets, and hooks with the secrets that they are signed with. */
export function addSecrets(program: Command): void {
  const secrets = program.command('secrets').description('secrets, which containers are given by their names');
  secrets
    .command('set')
    .description('make a secret or change its value, which is read from standard input, a file or a prompt')
    .argument('<name>', 'its name, such as prod/db')
    .option('--file <path>', 'the file that holds the value')
    .option('--output <format>', 'text or json', 'text')
    .action(async (name: string, options: { output: string; file?: string }) =>
      (await import('../secrets.ts')).setSecret(name, options),
    );
  secrets
    .command('get')
    .description('print the value of a secret')
    .argument('<name>', 'its name or ARN')
    .option('--output <format>', 'text or json', 'text')
    .action(async (name: string, options: { output: string }) =>
      (await import('../secrets.ts')).getSecret(name, options),
    );
  secrets
    .command('list')
    .description('list secrets, without their values')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: { output: string }) => (await import('../secrets.ts')).listSecrets(options));
  secrets
    .command('rm')
    .description('delete a secret in 30 days; until then it can be restored')
    .argument('<name>', 'its name or ARN')
    .option('--now', 'at once and for good')
    .option('--output <format>', 'text or json', 'text')
    .action(async (name: string, options: { output: string; now?: boolean }) =>
      (await import('../secrets.ts')).removeSecret(name, options),
    );

  secrets
    .command('rotation')
    .description('how the rotation of a secret stands')
    .argument('<name>', 'its name or ARN')
    .option('--key', 'show what the calls of its webhook are signed with')
    .option('--renew', 'make another key; calls are signed with it from now on')
    .option('--output <format>', 'text or json', 'text')
    .action(async (name: string, options: { output: string; key?: boolean; renew?: boolean }) =>
      (await import('../rotation.ts')).showRotation(name, options),
    );

  const webhooks = program.command('webhook').description('inbound webhooks that roll a service');
  for (const [action, description] of [
    ['create', 'make a webhook; prints its URL and, this once, its secret'],
    ['list', 'list the webhooks of a service'],
  ] as const) {
    webhooks
      .command(action)
      .description(description)
      .argument('<cluster/service>', 'the service')
      .option('--output <format>', 'text or json', 'text')
      .action(async (service: string, options: { output: string }) =>
        (await import('../webhook.ts')).webhook(action, service, undefined, options),
      );
  }
  webhooks
    .command('delete')
    .description('remove a webhook')
    .argument('<cluster/service>', 'the service')
    .argument('<id>', 'its id')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, id: string, options: { output: string }) =>
      (await import('../webhook.ts')).webhook('delete', service, id, options),
    );
  webhooks
    .command('deliveries')
    .description('list what was sent to the webhooks of a service lately, and what was answered')
    .argument('<cluster/service>', 'the service')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, options: { output: string }) =>
      (await import('../webhook.ts')).deliveries(service, options),
    );
  webhooks
    .command('redeliver')
    .description('do again what a delivery asked for, with your own rights')
    .argument('<cluster/service>', 'the service')
    .argument('<webhook>', 'the id of the webhook')
    .argument('<delivery>', 'the id of the delivery')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, id: string, delivery: string, options: { output: string }) =>
      (await import('../webhook.ts')).redeliver(service, id, delivery, options),
    );

  program
    .command('hook')
    .description('hooks that deployments of a service, or machines of a group, wait for')
    .command('secret')
    .description('show the secret that calls of its webhooks are signed with')
    .argument('<cluster/service>', 'the service, which need not be there yet')
    .option('--group', 'the name is that of an Auto Scaling group')
    .option('--renew', 'make another one; calls are signed with it from now on')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, options: { output: string; renew?: boolean; group?: boolean }) =>
      (await import('../hook.ts')).hookSecret(service, options),
    );
}
