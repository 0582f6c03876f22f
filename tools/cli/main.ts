import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { version } from '../server/version.ts';
import { addAdministration } from './commands/administration.ts';
import { addRollouts } from './commands/rollouts.ts';
import { addRunning } from './commands/running.ts';
import { addSecrets } from './commands/secrets.ts';
import { addServers } from './commands/servers.ts';
import { addShell } from './commands/shell.ts';
import { addTraffic } from './commands/traffic.ts';
import { addWatching } from './commands/watching.ts';
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

// In the order of the help.
addServers(program);
addRunning(program);
addRollouts(program);
addWatching(program);
addTraffic(program);
addShell(program);
addAdministration(program);
addSecrets(program);

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
