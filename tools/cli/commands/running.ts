import type { Command } from 'commander';

/** What runs: bringing it up, taking it down, and lists of it. */
export function addRunning(program: Command): void {
  program
    .command('up')
    .description(
      'run what a slipway.yaml, a compose file, a Dockerfile or an image is, behind a load balancer, and print its URL; a second run changes nothing',
    )
    .argument('[what]', 'a file, a folder with one, or an image', '.')
    .option(
      '--name <name>',
      'of the project: what all names begin with (default: the name in the file, or of the folder)',
    )
    .option('--cluster <name>', 'the cluster', 'default')
    .option('--port <port>', 'of an image or Dockerfile: the port that it answers HTTP on (default: what it EXPOSEs)')
    .option('--listen <port>', 'of an image or Dockerfile: the port that clients use (default: 80)')
    .option('--count <count>', 'of an image or Dockerfile: how many tasks')
    .option('--env <NAME=value...>', 'of an image or Dockerfile: variables')
    .option('--health-path <path>', 'of an image or Dockerfile: what it answers 200 on (default: /)')
    .option('--from <range>', 'who may connect, as a CIDR block (default: who may already; at first 0.0.0.0/0)')
    .option('--timeout <seconds>', 'how long each service may take until it is steady', '300')
    .option('--dry-run', 'only say what would be done')
    .option('-y, --yes', 'change what runs without asking')
    .option('--output <format>', 'text or json', 'text')
    .action(async (what: string, options: import('../up/up.ts').UpOptions) =>
      (await import('../up/up.ts')).up(what, options),
    );

  program
    .command('down')
    .description('end what slipway up has made; images, log lines and volumes stay')
    .argument('[what]', 'the file, folder or image that was run', '.')
    .option('--name <name>', 'of the project, instead of what it was run from')
    .option('--cluster <name>', 'the cluster', 'default')
    .option('--all', 'also the repositories with their images, and the log group, that slipway up made')
    .option('-y, --yes', 'without asking')
    .option('--output <format>', 'text or json', 'text')
    .action(async (what: string, options: import('../up/down.ts').DownOptions) =>
      (await import('../up/down.ts')).down(what, options),
    );

  program
    .command('ps')
    .description('list tasks: image, status, health, host, address and age of each; or services')
    .argument('[cluster/service]', 'of one service (default: all of a cluster)')
    .option('--cluster <name>', 'the cluster, where no service is named', 'default')
    .option('--services', 'services instead: how many tasks, and how each stands')
    .option('-a, --all', 'also those that stopped lately, with why')
    .option('--host <id>', 'on one host: its id, or how that begins')
    .option('--status <status>', 'only those that are e.g. PENDING or RUNNING')
    .option('-w, --watch', 'again every 2 s, until Ctrl-C')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string | undefined, options: import('../ps.ts').PsOptions) =>
      (await import('../ps.ts')).ps(service, options),
    );

  program
    .command('images')
    .description('list images: tags, size, age, what scans found, and the services that run them')
    .argument('[repository]', 'of one repository (default: all)')
    .option('-a, --all', 'also those without a tag')
    .option('--output <format>', 'text or json', 'text')
    .action(async (repository: string | undefined, options: import('../images.ts').ImagesOptions) =>
      (await import('../images.ts')).images(repository, options),
    );

  program
    .command('volumes')
    .description('list file systems, and volumes that outlive tasks, with the tasks and hosts that have them')
    .option('--cluster <name>', 'whose tasks', 'default')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: { cluster: string; output: string }) => (await import('../volumes.ts')).volumes(options));
}
