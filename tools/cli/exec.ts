import { ecsClient } from './aws-client.ts';
import { CliError } from './errors.ts';
import { ExecConnection } from './exec-connection.ts';
import { findTarget } from './exec-target.ts';
import { note } from './output.ts';

export interface ExecOptions {
  readonly container?: string;
  readonly interactive?: true;
  readonly tty?: true;
}

/** `slipway exec`: runs a command in a container of a task, with ECS Exec, and ends with the command's exit code. */
export async function exec(name: string, words: readonly string[], options: ExecOptions): Promise<void> {
  const { stdin, stdout, stderr } = process;
  const isTerminal = stdin.isTTY && stdout.isTTY;
  if (words.length === 0 && !isTerminal)
    throw new CliError('say which command to run, after --: a shell needs a terminal', 2);
  // Without a command: a shell.
  const tty = options.tty ?? words.length === 0;
  const interactive = options.interactive ?? words.length === 0;
  if (tty && !isTerminal) throw new CliError('there is no terminal here: leave --tty out', 2);
  const client = ecsClient();
  const target = await findTarget(client, name, options.container);
  if (tty) note(`task ${target.task}, container ${target.container}`);
  const full = new Set<NodeJS.WriteStream>();
  const connection = await ExecConnection.open(client, target, words.length === 0 ? ['sh'] : words, tty, {
    output: (bytes, stream) => {
      const to = stream === 'stderr' ? stderr : stdout;
      if (!to.write(bytes)) full.add(to);
    },
    hasRoom: () => full.size === 0,
  });
  for (const to of [stdout, stderr]) {
    to.on('drain', () => {
      full.delete(to);
      connection.resume();
    });
    // What reads our output may have seen enough.
    to.on('error', () => connection.terminate());
  }
  process.once('SIGINT', () => connection.terminate()).once('SIGTERM', () => connection.terminate());
  const resize = (): void => connection.resize(stdout.columns, stdout.rows);
  if (tty) {
    resize();
    stdout.on('resize', resize);
    stdin.setRawMode(true);
  }
  if (interactive) forward(connection);
  try {
    process.exitCode = await connection.ended;
  } finally {
    if (tty) stdin.setRawMode(false);
    stdin.destroy();
    client.destroy();
  }
}

function forward(connection: ExecConnection): void {
  const { stdin } = process;
  stdin.on('data', (bytes: Buffer) => {
    stdin.pause();
    connection.write(bytes).then(
      () => stdin.resume(),
      () => undefined,
    );
  });
  stdin.on('end', () => connection.endInput());
}
