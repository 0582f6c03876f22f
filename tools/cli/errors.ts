import type { Command } from 'commander';

/** An error that is told in one line, without a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;
  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Prints one line on stderr and ends the process. */
export function fail(message: string, exitCode = 1): never {
  process.stderr.write(`slipway: ${message}\n`);
  process.exit(exitCode);
}

/** Runs the command that the process was called with; what it throws ends the process with one line. */
export async function run(program: Command): Promise<void> {
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CliError) fail(error.message, error.exitCode);
    const { message, name } = error as Error;
    // Our own errors say everything in their message; the runtime's need their name to be understood.
    fail(/^(Type|Range|Reference|Syntax)Error$/.test(name) ? `${name}: ${message}` : message);
  }
}
