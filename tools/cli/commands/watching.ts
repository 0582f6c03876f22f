import type { Command } from 'commander';
import { CliError } from '../errors.ts';

interface Explain {
  readonly request?: string;
  readonly output: string;
}

/** What services, their tasks and alarms do, and going into containers. */
export function addWatching(program: Command): void {
  program
    .command('explain')
    .description(
      'say what a service is doing, what it waits for, and what failed last; why groups of hosts are as large as they are; or why a request was refused',
    )
    .argument(
      '[cluster/service]',
      "the service, or what names a deployment: its ARN, or d-… of CodeDeploy; or 'capacity' (a service of that name is default/capacity)",
    )
    .argument('[provider]', "after 'capacity': the one capacity provider to explain")
    .option('--request <id>', 'why a request of the last hour was refused, by the id in its answer or its message')
    .option('--output <format>', 'text or json', 'text')
    .action(async (service: string | undefined, provider: string | undefined, options: Explain) => {
      if ((service === undefined) === (options.request === undefined))
        throw new CliError('name a service, capacity, or a request by --request', 2);
      if (options.request !== undefined) await (await import('../denial.ts')).explainDenial(options.request, options);
      else if (service === undefined) return;
      else if (service === 'capacity') await (await import('../capacity.ts')).explainCapacity(provider, options);
      else await (await import('../explain.ts')).explain(service, options);
    });

  program
    .command('logs')
    .description("show what a service's containers wrote with the log driver awslogs, over all its tasks and revisions")
    .argument('<service|task>', '<cluster>/<service>, a service of the cluster default, or a task by its id or ARN')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('--since <time>', 'from when on: a time, or how long ago (30s, 10m, 2h, 3d)', '10m')
    .option('--grep <text>', 'only lines with this text')
    .option('--filter <pattern>', 'only lines that match a filter pattern of CloudWatch Logs')
    .option('--query <query>', 'what a query of CloudWatch Logs Insights answers about the lines')
    .option('--output <format>', 'text, or json: an object a line', 'text')
    .action(async (name: string, options: import('../logs.ts').LogsOptions) =>
      (await import('../logs.ts')).logs(name, options),
    );

  program
    .command('exec')
    .description(
      'run a command in a container of a task with ECS Exec, and end with its exit code; without one, a shell',
    )
    .argument('<service|task>', '<cluster>/<service>, a service of the cluster default, or a task by its id or ARN')
    .argument('[command...]', 'the command and its arguments, after --')
    .option('-c, --container <name>', 'the container, where the task has several')
    .option('-i, --interactive', 'pass standard input on')
    .option('-t, --tty', 'give the command a terminal')
    .action(async (name: string, words: string[], options: import('../exec.ts').ExecOptions) =>
      (await import('../exec.ts')).exec(name, words, options),
    );

  program
    .command('cp')
    .description('copy a file or a folder from or to a container of a task that has ECS Exec')
    .argument('<from>', 'a path, or <service|task>:<path>')
    .argument('<to>', 'the same')
    .option('-c, --container <name>', 'the container, where the task has several')
    .action(async (from: string, to: string, options: { container?: string }) =>
      (await import('../cp.ts')).cp(from, to, options),
    );

  program
    .command('events')
    .description('show what happened to services, deployments, tasks, hosts and images, in the order of time')
    .argument('[cluster/service]', 'of one service (default: all of a cluster, and all images)')
    .option('--cluster <name>', 'the cluster, where no service is named', 'default')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('--since <time>', 'from when on: a time, or how long ago (30s, 10m, 2h, 3d)', '1h')
    .option('--output <format>', 'text, or json: an event a line, as EventBridge has them', 'text')
    .action(async (service: string | undefined, options: import('../events.ts').EventsOptions) =>
      (await import('../events.ts')).events(service, options),
    );

  const alarms = program.command('alarms').description('alarms over metrics: how they stand, and what they told');
  alarms
    .command('list')
    .description('list all alarms, those in ALARM first')
    .option('--state <state>', 'only those in this state: OK, ALARM or INSUFFICIENT_DATA')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: { state?: string; output: string }) => (await import('../alarms.ts')).listAlarms(options));
  alarms
    .command('show')
    .description('show what an alarm looks at, how it stands and why, and whom it tells')
    .argument('<name>', 'its name')
    .option('--output <format>', 'text or json', 'text')
    .action(async (name: string, options: { output: string }) =>
      (await import('../alarms.ts')).showAlarm(name, options),
    );
  alarms
    .command('history')
    .description('list what happened to alarms in the last 30 days, newest first')
    .argument('[name]', 'of one alarm; default: all')
    .option('--output <format>', 'text or json', 'text')
    .action(async (name: string | undefined, options: { output: string }) =>
      (await import('../alarms.ts')).showHistory(name, options),
    );
  alarms
    .command('secret')
    .description("print what an alarm's webhook calls are signed with; it belongs to the alarm's name")
    .argument('<name>', 'its name; the alarm need not be there yet')
    .option('--renew', 'make another one')
    .option('--output <format>', 'text or json', 'text')
    .action(async (name: string, options: { renew?: boolean; output: string }) =>
      (await import('../alarms.ts')).alarmSecret(name, options),
    );

  const subscriptions = program
    .command('subscriptions')
    .description('subscription filters of log groups: how far the webhooks are that are told what comes');
  subscriptions
    .command('show')
    .description('show what a filter has told its receiver, what it still owes, and why the last call failed')
    .argument('<group>', 'the log group')
    .argument('<filter>', 'the name of the filter')
    .option('--output <format>', 'text or json', 'text')
    .action(async (group: string, filter: string, options: { output: string }) =>
      (await import('../subscriptions.ts')).showSubscription(group, filter, options),
    );
  subscriptions
    .command('secret')
    .description("print what a filter's calls are signed with; it belongs to the names of the group and the filter")
    .argument('<group>', 'the log group')
    .argument('<filter>', 'the name of the filter, which need not be there yet')
    .option('--renew', 'make another one')
    .option('--output <format>', 'text or json', 'text')
    .action(async (group: string, filter: string, options: { renew?: boolean; output: string }) =>
      (await import('../subscriptions.ts')).subscriptionSecret(group, filter, options),
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
    .action(async (service: string | undefined, options: import('../top.ts').TopOptions) =>
      (await import('../top.ts')).top(service, options),
    );
}
