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
