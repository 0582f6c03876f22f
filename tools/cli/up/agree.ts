import { createInterface } from 'node:readline/promises';
import { CliError } from '../errors.ts';
import type { Output } from '../output.ts';

/**
 * Asks on a terminal whether what was shown is to be done.
 * @param instead options of the command that do without being asked
 * @param nothing what has happened when the answer is no
 * @throws CliError when it is, and with exit code 2 where there is no terminal to ask on
 */
export async function agree(
  { question, instead, nothing }: { readonly question: string; readonly instead: string; readonly nothing: string },
  output: Output,
): Promise<void> {
  if (!process.stdin.isTTY || output === 'json')
    throw new CliError(`this changes or ends what runs, and there is no terminal to ask on: say ${instead}`, 2);
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${question} [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(nothing);
  } finally {
    terminal.close();
  }
}
