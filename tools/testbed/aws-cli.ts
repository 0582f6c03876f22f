import { type CommandResult } from './command.ts';
import { ResidentProgram } from './resident.ts';

/** What every call loads; the rest is loaded by what needs it. */
const modules = ['awscli.clidriver', 'awscli.handlers'];

/** The command lines of this machine, loaded once for all tests of a file. */
const residents = new Map<string, ResidentProgram>();
function resident(program: string): ResidentProgram {
  const known = residents.get(program) ?? new ResidentProgram(program, modules);
  residents.set(program, known);
  return known;
}

/** What each command line said of itself, which stays the same while a file of tests runs. */
const told = new Map<string, Promise<CommandResult | undefined>>();
function askedOnce(program: string): Promise<CommandResult | undefined> {
  const answer =
    told.get(program) ??
    resident(program)
      .run(['--version'])
      .catch(() => undefined);
  told.set(program, answer);
  return answer;
}

/** Why tests with the AWS command line cannot run here; undefined when it does. */
export const missingAwsCli = async (): Promise<string | undefined> =>
  (await askedOnce('aws'))?.code === 0 ? undefined : 'no AWS CLI';

/** Debian's own, which is a version 2. */
export const secondAwsCli = '/usr/bin/aws';

/** Why tests with version 2 of the AWS command line cannot run here; undefined when they do. */
export async function missingSecondAwsCli(): Promise<string | undefined> {
  const answer = await askedOnce(secondAwsCli);
  return answer?.stdout.startsWith('aws-cli/2.') === true
    ? undefined
    : 'no AWS command line of version 2 (apt install awscli)';
}

/**
 * The unmodified AWS command line, pointed at a server by the variables that `slipway env` prints. It is loaded once and forked for
 * each call: tests that are about how people start it run `aws` itself.
 */
export class AwsCli {
  readonly #env: Readonly<Record<string, string>>;
  readonly #program: string;
  #explicitEndpoint: boolean | undefined;

  constructor(env: Readonly<Record<string, string>>, program = 'aws') {
    this.#env = env;
    this.#program = program;
  }

  async run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
    this.#explicitEndpoint ??= !readsEndpointVariable(await version(this.#program));
    const all = this.#explicitEndpoint ? ['--endpoint-url', this.#env['AWS_ENDPOINT_URL'] ?? '', ...args] : args;
    return resident(this.#program).run(all, {
      env: {
        AWS_PAGER: '',
        AWS_CONFIG_FILE: '/dev/null',
        AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
        AWS_MAX_ATTEMPTS: '2',
        ...this.#env,
        ...env,
      },
    });
  }

  /** Runs a command that must succeed and parses its JSON; undefined when it prints nothing. */
  async json<T = Record<string, unknown>>(args: readonly string[]): Promise<T> {
    const result = await this.run([...args, '--output', 'json']);
    if (result.code !== 0)
      throw new Error(`aws ${args.join(' ')}: exit ${result.code}\n${result.stdout}${result.stderr}`);
    return (result.stdout.trim() === '' ? undefined : JSON.parse(result.stdout)) as T;
  }
}

/** What two versions of the command line say in turn, as one that is updated in the middle of a session. */
export function inTurn(...lines: readonly [AwsCli, ...AwsCli[]]): AwsCli['json'] {
  let calls = 0;
  return (args) => lines[calls++ % lines.length]!.json(args);
}

async function version(program: string): Promise<string> {
  const { stdout = '', stderr = '' } = (await askedOnce(program)) ?? {};
  return /aws-cli\/(\S+)/.exec(stdout + stderr)?.[1] ?? '0';
}

/** AWS_ENDPOINT_URL is read since 1.29.17 and 2.13.0. */
function readsEndpointVariable(text: string): boolean {
  const [major = 0, minor = 0] = text.split('.').map(Number);
  return major === 1 ? minor >= 30 : major === 2 ? minor >= 13 : major > 2;
}
