import { connect } from 'node:net';
import { EngineError } from '../contract.ts';

/** A living process of HAProxy, as its master tells. */
export interface Worker {
  readonly pid: number;
  /** Whether it was replaced by a reload and only finishes what it carries. */
  readonly leaving: boolean;
}

export interface Processes {
  readonly master: number;
  readonly reloads: number;
  readonly failedReloads: number;
  readonly workers: readonly Worker[];
}

/** How long the master may take for an answer, in milliseconds; it answers in less than one. */
const patience = 30_000;
/** Bytes of commands that are sent in one go; what the process reads at once is 64 KiB. */
const longestBatch = 16_384;

/** Talks to HAProxy's master over its socket; each call is a connection of its own. */
export interface Commands {
  processes(): Promise<Processes>;
  /** Runs commands in a worker, in order; answers with a reply each, without its last line end. Empty: done without a word. */
  run(pid: number, commands: readonly string[]): Promise<readonly string[]>;
  /** Runs a command with lines of text, which hold no empty one. */
  send(pid: number, command: string, payload: string): Promise<string>;
  /** Asks for a reload; what came of it shows in `processes`. */
  reload(): Promise<void>;
}

/** @throws EngineError (from every call) where nothing answers at the socket. */
export function masterCommands(socketPath: string): Commands {
  return {
    async processes() {
      return parseProcesses(await exchange(socketPath, 'show proc\n'));
    },
    async run(pid, commands) {
      const replies: string[] = [];
      for (let at = 0; at < commands.length;) {
        let line = '';
        const begin = at;
        while (at < commands.length && (at === begin || line.length + commands[at]!.length < longestBatch)) {
          line += `${line === '' ? '' : ';'}@!${pid} ${commands[at]!}`;
          at++;
        }
        const text = await exchange(socketPath, `${line}\n`);
        const answer = at - begin === 1 ? [text.trimEnd()] : splitReplies(text);
        if (answer.length !== at - begin) {
          throw new EngineError(
            `HAProxy (process ${pid}) answered ${answer.length} of ${at - begin} commands: ${answer.join(' ').slice(0, 200)}`,
          );
        }
        replies.push(...answer);
      }
      return replies;
    },
    async send(pid, command, payload) {
      const [reply = ''] = splitReplies(await exchange(socketPath, `@!${pid} ${command} <<\n${payload.trim()}\n\n`));
      return reply;
    },
    async reload() {
      await exchange(socketPath, 'reload\n');
    },
  };
}

async function exchange(socketPath: string, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const chunks: Buffer[] = [];
    socket.setTimeout(patience, () => socket.destroy(new Error(`no answer within ${patience} ms`)));
    socket.on('connect', () => socket.end(request));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('end', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.on('error', (error) =>
      reject(new EngineError(`HAProxy does not answer at ${socketPath}: ${error.message}`, { cause: error })),
    );
  });
}

/** A reply is a line end alone, or lines with an empty one after them (but `del server` leaves that out: it is asked alone). */
export function splitReplies(text: string): readonly string[] {
  const replies: string[] = [];
  for (let at = 0; at < text.length;) {
    if (text[at] === '\n') {
      replies.push('');
      at++;
      continue;
    }
    const end = text.indexOf('\n\n', at);
    replies.push(text.slice(at, end === -1 ? undefined : end));
    at = end === -1 ? text.length : end + 2;
  }
  return replies;
}

function parseProcesses(text: string): Processes {
  const workers: Worker[] = [];
  let master: RegExpExecArray | null = null;
  let leaving = false;
  for (const line of text.split('\n')) {
    if (line.startsWith('# old workers')) leaving = true;
    master ??= /^(\d+)\s+master\s+(\d+)(?:\s+\[failed: (\d+)\])?/.exec(line);
    const worker = /^(\d+)\s+worker\s/.exec(line);
    if (worker !== null) workers.push({ pid: Number(worker[1]), leaving });
  }
  if (master === null)
    throw new EngineError(`HAProxy's master answered what is no list of processes: ${text.slice(0, 200)}`);
  return { master: Number(master[1]), reloads: Number(master[2]), failedReloads: Number(master[3] ?? 0), workers };
}
