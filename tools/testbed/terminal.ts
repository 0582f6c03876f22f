import { spawn } from 'node:child_process';
import { check, until } from './command.ts';

/** How long a program has to show what is waited for. Milliseconds. */
const longest = 180_000;

/** A program on a terminal of its own, as a person sits before it. */
export class Terminal implements Disposable {
  readonly #child;
  readonly #ended: Promise<number>;
  #shown = '';

  /**
   * Starts a command of the shell, in a terminal of 80 columns and 24 rows; the first line that it shows is the terminal's own path.
   * @param env what it has in its environment besides this process's
   */
  constructor(command: string, env: Readonly<Record<string, string>>) {
    this.#child = spawn('script', ['-qec', `tty; stty cols 80 rows 24; ${command}`, '/dev/null'], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdout.on('data', (bytes: Buffer) => (this.#shown += bytes.toString('latin1')));
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code) => resolve(code ?? 128));
    });
    this.#ended.catch(() => undefined);
  }

  /** All that it has shown so far. */
  get shown(): string {
    return this.#shown;
  }

  type(text: string): void {
    this.#child.stdin.write(text);
  }

  /** Gives the terminal another size, as the corner of a window does. */
  async resize(cols: number, rows: number): Promise<void> {
    const [path = ''] = /^\/dev\S+/.exec(this.#shown) ?? [];
    await check('stty', ['-F', path, 'cols', String(cols), 'rows', String(rows)]);
  }

  /** Waits until it has shown something. @throws Error with all that it has shown when that does not come */
  async shows(what: RegExp): Promise<void> {
    const seen = until(String(what), longest, async () => what.test(this.#shown), 20);
    await seen.catch((cause: unknown) => {
      throw new Error(`the terminal shows: ${this.#shown}`, { cause });
    });
  }

  /** Waits for its end. @returns its exit code */
  ended(): Promise<number> {
    return this.#ended;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}
