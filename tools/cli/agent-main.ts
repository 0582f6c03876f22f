import { Command } from 'commander';
import { version } from '../server/version.ts';
import { describeAgent } from './agent-command.ts';
import { run } from './errors.ts';

/** The agent as a program of its own: what `slipway agent bundle` and the server make one file of. */
await run(
  describeAgent(new Command('slipway-agent'))
    .version(version)
    .showHelpAfterError('(run with --help for the options)')
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2)),
);
