import { Check, type Finding } from './check.ts';
import type { RegistryClient } from './client.ts';
import { type Answer, type AskOptions, NoAnswer } from './exchange.ts';
import { badManners } from './further/manners.ts';
import { type Api, type Result, type Status, worst } from './results.ts';

export interface Settings {
  /** Content is pushed into the first; mounts take from the second. */
  readonly repositories: readonly [string, string];
  /** `dev` is what comes after 1.1: it makes digests in headers a must, and adds cancelled uploads and tags as parameters. */
  readonly version: 'stable' | 'dev';
  readonly uploadCancel: boolean;
}

/** One question within a case. */
export interface Stage {
  /** The rows of the report that it is about. */
  readonly rows: readonly Api[];
  /** Rows that a pass proves as well; a failure says nothing about them. */
  readonly proves?: readonly Api[];
  readonly check: (check: Check) => Promise<unknown>;
}

/** What all checks of one run share. */
export class Suite {
  readonly settings: Settings;
  readonly rows = new Map<Api, Status>();
  /** What was wrong with answers that any check saw, in ways that have nothing to do with the question. */
  readonly manners = new Set<string>();
  readonly #client: RegistryClient;
  readonly #onCase: (result: Result) => void;

  constructor(client: RegistryClient, settings: Settings, onCase: (result: Result) => void = () => {}) {
    this.#client = client;
    this.settings = settings;
    this.#onCase = onCase;
    client.watch = (answer) => badManners(answer).forEach((problem) => this.manners.add(problem));
    if (!settings.uploadCancel) this.rows.set('Blob upload cancel', 'disabled');
    if (settings.version === 'stable') this.rows.set('Manifest put with tag params', 'disabled');
  }

  get dev(): boolean {
    return this.settings.version === 'dev';
  }

  ask(method: string, target: string | URL, options?: AskOptions): Promise<Answer> {
    return this.#client.ask(method, target, options);
  }

  /**
   * Runs one case. Its stages follow one another while they pass; those after a stage that did not are skipped.
   * @returns whether all passed
   */
  async run(parent: Result, name: string, ...stages: readonly Stage[]): Promise<boolean> {
    const result = parent.child(name);
    const began = performance.now();
    let passing = true;
    for (const stage of stages) {
      const ended: Outcome = passing ? await this.#outcome(stage) : outcome('skipped');
      result.note(ended.status, ended.reasons);
      passing = ended.status === 'passed';
      const { rows, proves = [] } = stage;
      for (const row of passing ? [...rows, ...proves] : rows) this.#mark(row, ended.status);
    }
    result.milliseconds = performance.now() - began;
    this.#onCase(result);
    return passing;
  }

  /** Fails a whole group, of which nothing can be asked. */
  giveUp(group: Result, row: Api, reason: string): void {
    group.note('failed', [reason]);
    this.#mark(row, 'failed');
  }

  async #outcome({ rows, check }: Stage): Promise<Outcome> {
    if (rows.some((row) => this.rows.get(row) === 'disabled'))
      return outcome('disabled', [`not asked for: ${rows.join(', ')}`]);
    const found = await findings(check);
    const reasons = found.map(({ text }) => text);
    if (found.some(({ kind }) => kind === 'failed')) return outcome('failed', reasons);
    return outcome(found.length > 0 ? 'skipped' : 'passed', reasons);
  }

  #mark(row: Api, status: Status): void {
    const before = this.rows.get(row);
    this.rows.set(row, worst(before === undefined ? [status] : [before, status]) ?? status);
  }
}

async function findings(run: Stage['check']): Promise<readonly Finding[]> {
  const check = new Check();
  try {
    await run(check);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    check.fail(error.message);
  }
  return check.findings;
}

interface Outcome {
  readonly status: Status;
  readonly reasons: readonly string[];
}

const outcome = (status: Status, reasons: readonly string[] = []): Outcome => ({ status, reasons });
