import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { type CommandOptions, type CommandResult, check, resultOf, run } from './command.ts';

interface Answer {
  readonly id: number;
  readonly code?: number;
  readonly signal?: NodeJS.Signals;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A program written in Python whose modules stay loaded: each call is a fork of one process (resident.py), which ends with this one.
 * What loading takes, most of a short call, is taken once. Programs that are not a Python script are started for each call.
 */
export class ResidentProgram {
  readonly #program: string;
  readonly #modules: readonly string[];
  readonly #calls = new Map<number, PromiseWithResolvers<CommandResult>>();
  #started: Promise<ChildProcess | undefined> | undefined;
  #last = 0;

  /** @param modules what the program loads, to be loaded before the first call; the environment must have no part in what they are then */
  constructor(program: string, modules: readonly string[]) {
    this.#program = program;
    this.#modules = modules;
  }

  /** Runs the program to its end as {@link run} does, without input. */
  async run(args: readonly string[], options: Omit<CommandOptions, 'input'> = {}): Promise<CommandResult> {
    const child = await (this.#started ??= this.#start());
    if (child === undefined) return run(this.#program, args, options);
    const id = ++this.#last;
    const answer = Promise.withResolvers<CommandResult>();
    this.#calls.set(id, answer);
    this.#wait(child);
    const { env, cwd = process.cwd(), timeout = 120_000 } = options;
    const call = { id, args, env: { ...process.env, ...env }, cwd, timeout: timeout / 1000 };
    child.stdin?.write(`${JSON.stringify(call)}\n`);
    return answer.promise;
  }

  async #start(): Promise<ChildProcess | undefined> {
    const script = await scriptOf(this.#program);
    if (script === undefined) return undefined;
    const [interpreter = '', ...flags] = script.interpreter;
    const args = [...flags, join(import.meta.dirname, 'resident.py'), script.path, ...this.#modules];
    const child = spawn(interpreter, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    child.on('error', (error) => this.#end(error));
    child.stdin.on('error', (error) => this.#end(error));
    child.on('exit', (code, signal) => this.#end(new Error(`${script.path}, loaded once, ended by ${code ?? signal}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { id, code, signal, stdout, stderr } = JSON.parse(line) as Answer;
      this.#calls.get(id)?.resolve(resultOf(code ?? null, signal ?? null, stdout, stderr));
      this.#calls.delete(id);
      this.#wait(child);
    });
    this.#wait(child);
    return child;
  }

  /** Keeps this process from ending while a call runs, and not longer. */
  #wait(child: ChildProcess): void {
    const what = [child, child.stdin as Socket, child.stdout as Socket];
    if (this.#calls.size > 0) for (const one of what) one.ref();
    else for (const one of what) one.unref();
  }

  #end(error: Error): void {
    this.#started = undefined;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}

interface Script {
  readonly path: string;
  readonly interpreter: readonly string[];
}

/** A program's Python script and what its first line says to run it by; undefined when it is none. */
async function scriptOf(program: string): Promise<Script | undefined> {
  const path = program.includes('/') ? program : inPath(program);
  if (path === undefined) return undefined;
  const text = readFileSync(path, 'latin1');
  const [, first = ''] = /^#!\s*(.+)/.exec(text) ?? [];
  if (first.includes('python')) return { path, interpreter: first.trim().split(/\s+/) };
  // Several versions of Python live side by side, and a script of the shell chooses one.
  const [, chooser] = /^exec "([^"\n]+\/pyenv)" exec /m.exec(text) ?? [];
  if (chooser === undefined) return undefined;
  return scriptOf((await check(chooser, ['which', path.slice(path.lastIndexOf('/') + 1)])).trim());
}

const inPath = (program: string): string | undefined =>
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
