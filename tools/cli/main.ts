import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { version } from '../server/version.ts';
import { describeAgent, programName } from './agent-command.ts';
import type { BalancerFlags } from './balancer.ts';
import { fail, run } from './errors.ts';
import { addExamples, pathOf } from './examples.ts';

/** The `slipway` command. Each subcommand is loaded when it is called, so that short ones start fast. */
if (!process.versions.node.startsWith('26.')) {
  fail(`this is Node ${process.versions.node}; start it with tools/bin/slipway, which finds the pinned Node 26`);
}

export const program = new Command('slipway')
  .description('ECR and ECS on your own machines: a container registry and a scheduler behind the AWS APIs.')
  .version(version)
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
  .option(
    '--recover',
    "first write the administrator's key to its file again, with the server's own SLIPWAY_* variables",
  )
  .action(async (options: { data: string; output: string; recover?: true }) => {
    const env = await import('./env.ts');
    if (options.recover) await env.recoverCredentials(options.data);
    env.printEnv(options);
  });

const agent = describeAgent(program.command('agent'));
agent
  .command('bundle')
  .description('write the agent as one file that a host runs with Node 26 alone, without this checkout')
  .option('-o, --out <file>', 'where to', programName)
  .action(async (options: { out: string }) => (await import('./agent-bundle.ts')).bundleAgent(options.out));

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
  .action(async (options: BalancerFlags) => (await import('./balancer.ts')).balancer(options));

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
  .action(async (what: string, options: import('./up/up.ts').UpOptions) =>
    (await import('./up/up.ts')).up(what, options),
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
  .action(async (what: string, options: import('./up/down.ts').DownOptions) =>
    (await import('./up/down.ts')).down(what, options),
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
  .action(async (service: string | undefined, options: import('./ps.ts').PsOptions) =>
    (await import('./ps.ts')).ps(service, options),
  );

program
  .command('images')
  .description('list images: tags, size, age, what scans found, and the services that run them')
  .argument('[repository]', 'of one repository (default: all)')
  .option('-a, --all', 'also those without a tag')
  .option('--output <format>', 'text or json', 'text')
  .action(async (repository: string | undefined, options: import('./images.ts').ImagesOptions) =>
    (await import('./images.ts')).images(repository, options),
  );

program
  .command('volumes')
  .description('list file systems, and volumes that outlive tasks, with the tasks and hosts that have them')
  .option('--cluster <name>', 'whose tasks', 'default')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { cluster: string; output: string }) => (await import('./volumes.ts')).volumes(options));

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
  .command('deploy')
  .description('register a revision with another image and have a service deploy it, by the strategy that it has')
  .argument('<cluster/service>', 'the service')
  .requiredOption('--image <image>', 'the image; one that the service names already is deployed again')
  .option('--container <name>', 'the container that gets it, where that is not clear')
  .option('--wait', 'follow the deployment to its end (exit 3: it did not succeed)')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, options: import('./deploy.ts').DeployOptions) =>
    (await import('./deploy.ts')).deploy(service, options),
  );

program
  .command('strategy')
  .description('have the deployments of a service shift the traffic of its load balancer from one revision to the next')
  .argument('<cluster/service>', 'the service, which slipway expose gave a load balancer')
  .argument('<strategy>', 'blue-green, linear or canary')
  .option('--bake <minutes>', 'how long the old revision stays after all traffic has left it', '5')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, strategy: string, options: import('./strategy.ts').StrategyOptions) =>
    (await import('./strategy.ts')).setStrategy(service, strategy, options),
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
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, count: string | undefined, options: import('./scale.ts').ScaleOptions) =>
    (await import('./scale.ts')).scale(service, count, options),
  );

const deployments = program
  .command('deployments')
  .description("a service's deployments: how they go, and what people decide");
deployments
  .command('list')
  .description('list the deployments of the last 90 days, newest first')
  .argument('<cluster/service>', 'the service')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, options: { output: string }) =>
    (await import('./deployments.ts')).listDeployments(service, options),
  );
for (const [action, description] of [
  ['show', 'show stage, weights, tasks and hooks of a deployment, and what it waits for'],
  ['watch', 'print a line for every change of a deployment until it is over (exit 3: it did not succeed)'],
] as const) {
  deployments
    .command(action)
    .description(description)
    .argument('<cluster/service>', 'the service')
    .argument('[deployment]', 'the last part of its ARN; default: the newest')
    .option('--output <format>', action === 'watch' ? 'text, or json: an object a line' : 'text or json', 'text')
    .action(async (service: string, id: string | undefined, options: { output: string }) => {
      const { showDeployment, watchDeployment } = await import('./deployments.ts');
      await (action === 'show' ? showDeployment : watchDeployment)(service, id, options);
    });
}
deployments
  .command('continue')
  .description('let the newest deployment go on, which waits for a person')
  .argument('<cluster/service>', 'the service')
  .option('--hook <id>', 'which hook, where several wait')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, options: { hook?: string; output: string }) =>
    (await import('./deployments.ts')).continueDeployment(service, options),
  );
for (const [action, stopType, description] of [
  ['rollback', 'ROLLBACK', 'shift traffic back to the old revision, and end the tasks of the new one'],
  ['stop', 'ABORT', 'the same at once: without asking hooks'],
] as const) {
  deployments
    .command(action)
    .description(description)
    .argument('<cluster/service>', 'the service')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string, options: { output: string }) =>
      (await import('./deployments.ts')).stopDeployment(service, stopType, options),
    );
}

program
  .command('explain')
  .description(
    'say what a service is doing, what it waits for, and what failed last; or why groups of hosts are as large as they are',
  )
  .argument('<cluster/service>', "the service; or 'capacity' (a service of that name is default/capacity)")
  .argument('[provider]', "after 'capacity': the one capacity provider to explain")
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, provider: string | undefined, options: { output: string }) => {
    if (service === 'capacity') await (await import('./capacity.ts')).explainCapacity(provider, options);
    else await (await import('./explain.ts')).explain(service, options);
  });

program
  .command('logs')
  .description("show what a service's containers wrote with the log driver awslogs, over all its tasks and revisions")
  .argument('<service|task>', '<cluster>/<service>, a service of the cluster default, or a task by its id or ARN')
  .option('-f, --follow', 'go on with what comes, until Ctrl-C')
  .option('--since <time>', 'from when on: a time, or how long ago (30s, 10m, 2h, 3d)', '10m')
  .option('--grep <text>', 'only lines with this text')
  .option('--filter <pattern>', 'only lines that match a filter pattern of CloudWatch Logs')
  .option('--output <format>', 'text, or json: an object a line', 'text')
  .action(async (name: string, options: import('./logs.ts').LogsOptions) =>
    (await import('./logs.ts')).logs(name, options),
  );

program
  .command('exec')
  .description('run a command in a container of a task with ECS Exec, and end with its exit code; without one, a shell')
  .argument('<service|task>', '<cluster>/<service>, a service of the cluster default, or a task by its id or ARN')
  .argument('[command...]', 'the command and its arguments, after --')
  .option('-c, --container <name>', 'the container, where the task has several')
  .option('-i, --interactive', 'pass standard input on')
  .option('-t, --tty', 'give the command a terminal')
  .action(async (name: string, words: string[], options: import('./exec.ts').ExecOptions) =>
    (await import('./exec.ts')).exec(name, words, options),
  );

program
  .command('cp')
  .description('copy a file or a folder from or to a container of a task, as tar through ECS Exec')
  .argument('<from>', 'a path, or <service|task>:<path>')
  .argument('<to>', 'the same')
  .option('-c, --container <name>', 'the container, where the task has several')
  .action(async (from: string, to: string, options: { container?: string }) =>
    (await import('./cp.ts')).cp(from, to, options),
  );

program
  .command('events')
  .description('show what happened to services, deployments, tasks, hosts and images, in the order of time')
  .argument('[cluster/service]', 'of one service (default: all of a cluster, and all images)')
  .option('--cluster <name>', 'the cluster, where no service is named', 'default')
  .option('-f, --follow', 'go on with what comes, until Ctrl-C')
  .option('--since <time>', 'from when on: a time, or how long ago (30s, 10m, 2h, 3d)', '1h')
  .option('--output <format>', 'text, or json: an event a line, as EventBridge has them', 'text')
  .action(async (service: string | undefined, options: import('./events.ts').EventsOptions) =>
    (await import('./events.ts')).events(service, options),
  );

const alarms = program.command('alarms').description('alarms over metrics: how they stand, and what they told');
alarms
  .command('list')
  .description('list all alarms, those in ALARM first')
  .option('--state <state>', 'only those in this state: OK, ALARM or INSUFFICIENT_DATA')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { state?: string; output: string }) => (await import('./alarms.ts')).listAlarms(options));
alarms
  .command('show')
  .description('show what an alarm looks at, how it stands and why, and whom it tells')
  .argument('<name>', 'its name')
  .option('--output <format>', 'text or json', 'text')
  .action(async (name: string, options: { output: string }) => (await import('./alarms.ts')).showAlarm(name, options));
alarms
  .command('history')
  .description('list what happened to alarms in the last 30 days, newest first')
  .argument('[name]', 'of one alarm; default: all')
  .option('--output <format>', 'text or json', 'text')
  .action(async (name: string | undefined, options: { output: string }) =>
    (await import('./alarms.ts')).showHistory(name, options),
  );
alarms
  .command('secret')
  .description("print what an alarm's webhook calls are signed with; it belongs to the alarm's name")
  .argument('<name>', 'its name; the alarm need not be there yet')
  .option('--renew', 'make another one')
  .option('--output <format>', 'text or json', 'text')
  .action(async (name: string, options: { renew?: boolean; output: string }) =>
    (await import('./alarms.ts')).alarmSecret(name, options),
  );

program
  .command('top')
  .description(
    'show what services use: CPU, memory and requests of the last minute, or of one service minute by minute',
  )
  .argument('[cluster/service]', 'one service (default: all of a cluster)')
  .option('--cluster <name>', 'whose services, where none is named', 'default')
  .option('--minutes <count>', 'how far back, of one service', '15')
  .option('-w, --watch', 'again every 10 s, until Ctrl-C')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string | undefined, options: import('./top.ts').TopOptions) =>
    (await import('./top.ts')).top(service, options),
  );

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
  .action(async (service: string, options: import('./expose.ts').ExposeOptions) =>
    (await import('./expose.ts')).expose(service, options),
  );

const lb = program.command('lb').description('load balancers: where they are reached, and what they carry');
lb.command('list')
  .description('list the load balancers with their state and URLs')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { output: string }) => (await import('./lb.ts')).listBalancers(options));
lb.command('show')
  .description(
    'show a load balancer: engines and what they have acknowledged, listeners, rules, targets with their health, requests, answers and latencies',
  )
  .argument('<name>', 'its name')
  .option('--output <format>', 'text or json', 'text')
  .action(async (name: string, options: { output: string }) => (await import('./lb.ts')).showBalancer(name, options));

const hosts = program
  .command('hosts')
  .description('hosts: what runs and what is free on them, and what becomes of them');
hosts
  .command('list', { isDefault: true })
  .description('list the hosts of a cluster')
  .option('--cluster <name>', 'the cluster', 'default')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { cluster: string; output: string }) => (await import('./hosts.ts')).listHosts(options));
hosts
  .command('reclaim')
  .description(
    'take a host back that was joined with --spot: its tasks have two minutes, those of services are replaced',
  )
  .argument('<host>', 'ARN or id of its container instance, or how the id begins')
  .option('--cluster <name>', 'its cluster', 'default')
  .option('--output <format>', 'text or json', 'text')
  .action(async (host: string, options: { cluster: string; output: string }) =>
    (await import('./hosts.ts')).reclaimHost(host, options),
  );

program
  .command('console')
  .description('print, and on a screen open, an address of the web console that signs in once, within a minute')
  .option('--data <folder>', 'data folder of the server, where no AWS_* variables say who signs in')
  .option('--no-open', 'only print it')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: import('./console.ts').ConsoleOptions) =>
    (await import('./console.ts')).openConsole(options),
  );

program
  .command('completion')
  .description(
    'print what a shell reads at its start, so that Tab knows commands, options, clusters, services and more',
  )
  .argument('<shell>', 'bash, zsh or fish')
  .action(async (shell: string) => {
    process.stdout.write((await import('./complete.ts')).completionScript(shell));
  });
program
  .command('__complete', { hidden: true })
  .argument('[words...]')
  .action(async (words: string[]) => (await import('./complete.ts')).complete(program, words));

program
  .command('doctor')
  .description('check this machine and the running server, and say what to do about what is wrong')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { data: string; output: string }) => (await import('./doctor.ts')).doctor(options));

program
  .command('conformance')
  .description(
    'ask a registry everything that the OCI Distribution Specification demands, e.g. your own behind its proxy (exit 1: something failed)',
  )
  .argument('<registry>', '<host>[:<port>] or its URL')
  .option('--spec <version>', 'stable (1.1), or dev: what the specification adds after it', 'stable')
  .option('--upload-cancel', 'uploads must be cancellable in the stable version too')
  .option('--username <name>', 'whom to log in as; with Slipway AWS, and the password from aws ecr get-login-password')
  .option('--password-stdin', 'read the password from standard input')
  .option('--repositories <names...>', 'two repositories that are for this alone; they are written to and emptied', [
    'conformance/one',
    'conformance/two',
  ])
  .option('--group <names...>', 'run these groups of cases alone, e.g. image')
  .option('--output <format>', 'text, json or junit', 'text')
  .action(async (registry: string, options: import('./conformance.ts').ConformanceCommand) =>
    (await import('./conformance.ts')).conformance(registry, options),
  );

const tls = program
  .command('tls')
  .description('certificates: of a local authority, or by ACME (SLIPWAY_ACME_DOMAINS; see auth/acme/README.md)');
tls
  .command('init')
  .description('make a local certificate authority and a server certificate, and say how clients come to trust them')
  .option('--host <names...>', 'further names and addresses that clients use, without port')
  .option('--days <days>', 'how long the server certificate is valid', '397')
  .option('--port <port>', 'the port in what is printed', process.env['SLIPWAY_PORT'] ?? '7500')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: import('./tls.ts').TlsInitOptions) => (await import('./tls.ts')).initTls(options));

tls
  .command('renew')
  .description('order a new certificate by ACME now; run it where the server runs, with its settings')
  .option('--new-account', 'with a new account at the authority')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .action(async (options: { data: string; newAccount?: boolean }) =>
    (await import('./tls-renew.ts')).renewTls(options),
  );

const auth = program.command('auth').description('ask about permissions');
auth
  .command('explain')
  .description(
    'say why somebody may or may not do something, with the policies that were looked at (exit 0: may, 3: may not)',
  )
  .option(
    '--request <id>',
    'a request that was made, by the id in its answer: what was decided then, and what would be now',
  )
  .option('--principal <who>', 'name of a user, ARN of a user, role or session, or an access key id')
  .option('--action <service:Action>', 'e.g. ecr:PutImage')
  .option('--resource <ARN or repository>', 'what is acted on, with its own policy and tags')
  .option('--context <key=value...>', 'condition keys, e.g. aws:ResourceTag/team=a')
  .option('--source-ip <address>', 'where the request comes from (default: this machine)')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: import('./auth.ts').ExplainOptions) => (await import('./auth.ts')).explainAccess(options));

program
  .command('gc')
  .description(
    'remove blobs that no image needs any more, now, giving way to all else; servers do it every few minutes by themselves',
  )
  .option('--dry-run', 'only count')
  .option('--maximum <blobs>', 'at most this many')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { data: string; dryRun?: boolean; maximum?: string; output: string }) => {
    // Servers on this machine go first; even before the rest is loaded, which is half a second of work on several threads.
    await (await import('./background.ts')).yieldProcessor();
    await (await import('./gc.ts')).gc(options);
  });

const storage = program
  .command('storage')
  .description('look after the stores; run these where the server runs, with its settings');
storage
  .command('audit')
  .description(
    'compare records with bytes: acknowledged but missing, damaged, present but unreferenced (exit 4: something is lost)',
  )
  .option('--repair', 'remove what is unreferenced and older than a day; nothing else is ever changed')
  .option('--quick', 'compare sizes only, do not read the bytes')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: import('./storage.ts').AuditCommand) => (await import('./storage.ts')).auditStorage(options));
for (const direction of ['export', 'import'] as const) {
  storage
    .command(direction)
    .description(
      `copy the whole installation ${direction === 'export' ? 'to' : 'from'} other stores (stop all servers first; an interrupted run goes on)`,
    )
    .requiredOption('--settings <file>', 'SLIPWAY_* settings of the other stores, one NAME=value a line')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: { settings: string; data: string; output: string }) =>
      (await import('./storage.ts')).transferStorage({ ...options, direction }),
    );
}

const scan = program.command('scan').description('vulnerability scans of images');
scan
  .command('update')
  .description("fill the embedded scanner's advisories from OSV data; run it where the server runs")
  .argument('<sources...>', 'folders, .zip or .json files, or URLs of either, in the OSV format')
  .option('--replace', 'forget what was imported before')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (sources: string[], options: { data: string; replace?: boolean; output: string }) =>
    (await import('./scan.ts')).updateScanner(sources, options),
  );
scan
  .command('start')
  .description('scan an image now')
  .argument('<image>', '<repository>:<tag> or <repository>@<digest>')
  .action(async (image: string) => (await import('./scan.ts')).startScan(image));
scan
  .command('findings')
  .description('show what the newest scan of an image found')
  .argument('<image>', '<repository>:<tag> or <repository>@<digest>')
  .option('--output <format>', 'text or json', 'text')
  .action(async (image: string, options: { output: string }) =>
    (await import('./scan.ts')).scanFindings(image, options),
  );

scan
  .command('policy')
  .description('show or set which findings forbid pulls and roll-outs; run it where the server runs')
  .option('--block-pulls <rule>', 'a severity, e.g. CRITICAL, HIGH+unscannable or HIGH+unscanned, or none')
  .option('--block-rollouts <rule>', 'a severity, e.g. CRITICAL, HIGH+unscannable or HIGH+unscanned, or none')
  .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: import('./scan.ts').PolicyOptions) => (await import('./scan.ts')).scanPolicy(options));

const secrets = program.command('secrets').description('secrets, which containers are given by their names');
secrets
  .command('set')
  .description('make a secret or change its value, which is read from standard input, a file or a prompt')
  .argument('<name>', 'its name, such as prod/db')
  .option('--file <path>', 'the file that holds the value')
  .option('--output <format>', 'text or json', 'text')
  .action(async (name: string, options: { output: string; file?: string }) =>
    (await import('./secrets.ts')).setSecret(name, options),
  );
secrets
  .command('get')
  .description('print the value of a secret')
  .argument('<name>', 'its name or ARN')
  .option('--output <format>', 'text or json', 'text')
  .action(async (name: string, options: { output: string }) => (await import('./secrets.ts')).getSecret(name, options));
secrets
  .command('list')
  .description('list secrets, without their values')
  .option('--output <format>', 'text or json', 'text')
  .action(async (options: { output: string }) => (await import('./secrets.ts')).listSecrets(options));
secrets
  .command('rm')
  .description('delete a secret in 30 days; until then it can be restored')
  .argument('<name>', 'its name or ARN')
  .option('--now', 'at once and for good')
  .option('--output <format>', 'text or json', 'text')
  .action(async (name: string, options: { output: string; now?: boolean }) =>
    (await import('./secrets.ts')).removeSecret(name, options),
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
      (await import('./webhook.ts')).webhook(action, service, undefined, options),
    );
}
webhooks
  .command('delete')
  .description('remove a webhook')
  .argument('<cluster/service>', 'the service')
  .argument('<id>', 'its id')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, id: string, options: { output: string }) =>
    (await import('./webhook.ts')).webhook('delete', service, id, options),
  );

program
  .command('hook')
  .description('hooks that deployments of a service wait for')
  .command('secret')
  .description('show the secret that calls of its webhooks are signed with')
  .argument('<cluster/service>', 'the service, which need not be there yet')
  .option('--renew', 'make another one; calls are signed with it from now on')
  .option('--output <format>', 'text or json', 'text')
  .action(async (service: string, options: { output: string; renew?: boolean }) =>
    (await import('./hook.ts')).hookSecret(service, options),
  );

// These bring the whole control plane along, which no other command must carry or wait for.
if (!program.commands.some((command) => command.name() === process.argv[2])) {
  (await import('../simulator/commands.ts')).register(program);
  (await import('../simulator/placement-command.ts')).register(program);
}

addExamples(program);

// Whatever a command calls may be this installation itself, with a certificate of its own or a private authority.
program.hook('preAction', async (_, command) => {
  const [first = ''] = pathOf(command).split(' ');
  const adopted = (await import('./profile.ts')).adoptProfile(first);
  // Commands and options can be completed whatever the profile is.
  await (first === '__complete' ? adopted.catch(() => undefined) : adopted);
  const { data = process.env['SLIPWAY_DATA'] ?? 'data' } = command.opts<{ data?: string }>();
  if (existsSync(join(data, 'tls')) || process.env['SLIPWAY_ACME_CA_FILE'])
    (await import('./tls.ts')).trustLocalAuthority(data);
});

// The tests look at the commands without running one.
if (import.meta.main) await run(program);
