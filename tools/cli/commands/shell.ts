import type { Command } from 'commander';

/** The browser, and what shells know of the commands. */
export function addShell(program: Command): void {
  program
    .command('console')
    .description('print, and on a screen open, an address of the web console that signs in once, within a minute')
    .option('--data <folder>', 'data folder of the server, where no AWS_* variables say who signs in')
    .option('--no-open', 'only print it')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: import('../console.ts').ConsoleOptions) =>
      (await import('../console.ts')).openConsole(options),
    );

  program
    .command('completion')
    .description(
      'print what a shell reads at its start, so that Tab knows commands, options, clusters, services and more',
    )
    .argument('<shell>', 'bash, zsh or fish')
    .action(async (shell: string) => {
      process.stdout.write((await import('../complete.ts')).completionScript(shell));
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: string[]) => (await import('../complete.ts')).complete(program, words));
}
