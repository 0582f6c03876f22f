import { ProgramFailed, runProgram } from '../run-program.ts';
import { type MachineSpec, ProviderError } from '../instance-provider.ts';
import type { Pool, PoolMachine } from './pool.ts';

/** What a machine has said of whose it is. */
export interface Claim {
  readonly id: string;
  readonly owner: string;
}

export interface RemoteOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

/** A machine that is another's already, or that does not answer. */
export class Unavailable extends ProviderError {
  readonly why: 'silent' | 'taken';

  constructor(why: Unavailable['why'], message: string) {
    super(message);
    this.why = why;
  }
}

/** Exit status of ssh itself; anything else is what ran there. */
const ofSsh = 255;
/** Exit status of a claim on a machine that another has (EX_TEMPFAIL). */
const taken = 75;
const claimLine = /^(?<id>i-[0-9a-f]{17}) (?<owner>[A-Za-z0-9-]{1,200})$/;

/** As one word for a shell. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * Runs a script on a machine by its `sh`. The script comes in on the standard input: settings are in it, and no command line here or there
 * shows them. Keys are read from their file, and a machine whose host key is another one is not spoken with.
 * @returns what it printed
 * @throws Unavailable when it cannot be reached, ProgramFailed
 */
export async function run(
  pool: Pool,
  machine: PoolMachine,
  script: string,
  within: number,
  { env, signal }: RemoteOptions,
): Promise<string> {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'PasswordAuthentication=no',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${pool.knownHosts}`,
    'GlobalKnownHostsFile=/dev/null',
    'UpdateHostKeys=no',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    'ServerAliveInterval=15',
    `ConnectTimeout=${pool.connectWithin}`,
    'LogLevel=ERROR',
  ];
  const command = ['ssh', '-F', '/dev/null', '-T', '-i', pool.key, '-p', String(machine.port), '-l', pool.user]
    .concat(options.flatMap((option) => ['-o', option]))
    .concat(['--', machine.host, 'sh']);
  try {
    return await runProgram(command, { env, input: script, timeout: within * 1000, signal });
  } catch (error) {
    if (error instanceof ProgramFailed && error.status === ofSsh)
      throw new Unavailable('silent', `${machine.name}: ${error.message}`);
    throw error;
  }
}

/** Whose a machine is; undefined: nobody's. @throws Unavailable */
export async function claimOf(pool: Pool, machine: PoolMachine, options: RemoteOptions): Promise<Claim | undefined> {
  const file = quoted(`${machine.folder}/claim`);
  const printed = await run(pool, machine, `cat ${file} 2>/dev/null || :\n`, pool.connectWithin * 3, options);
  const { id, owner } = claimLine.exec(printed.trim())?.groups ?? {};
  return id === undefined || owner === undefined ? undefined : { id, owner };
}

/** Takes a machine for an id, unless another has it: the file, whole as it is, is made by whoever is first. @throws Unavailable */
export async function take(pool: Pool, machine: PoolMachine, spec: Claim, options: RemoteOptions): Promise<void> {
  const script = `umask 077
mkdir -p ${quoted(machine.folder)} && cd ${quoted(machine.folder)} || exit 1
echo ${quoted(`${spec.id} ${spec.owner}`)} > claim.$$ && ln claim.$$ claim 2>/dev/null
made=$?
rm -f claim.$$
[ $made != 0 ] || exit 0
[ "$(cat claim)" = ${quoted(`${spec.id} ${spec.owner}`)} ] || exit ${taken}
`;
  try {
    await run(pool, machine, script, pool.connectWithin * 3, options);
  } catch (error) {
    if (error instanceof ProgramFailed && error.status === taken)
      throw new Unavailable('taken', `${machine.name} is another's`);
    throw error;
  }
}

/**
 * Gives a machine that was taken its settings, runs the user data, and starts its agent: once for each id. User data that runs on when nobody waits for
 * it any more changes nothing of a machine that was put back meanwhile.
 */
export async function join(pool: Pool, machine: PoolMachine, spec: MachineSpec, options: RemoteOptions): Promise<void> {
  const settings = Object.entries(spec.settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
  const userData = typeof spec.template['UserData'] === 'string' ? spec.template['UserData'] : '';
  const runs = pool.userData === 'run' && Buffer.from(userData, 'base64').subarray(0, 2).toString() === '#!';
  const script = `set -e
umask 077
is_ours() { [ "$(cat claim 2>/dev/null)" = ${quoted(`${spec.id} ${spec.owner}`)} ] || exit ${taken}; }
cd ${quoted(machine.folder)}
is_ours
[ "$(cat joined 2>/dev/null)" != ${spec.id} ] || exit 0
mkdir -p "$(dirname ${quoted(machine.settings)})"
base64 -d > user-data.$$ <<'END'
${Buffer.from(userData, 'base64').toString('base64')}
END
mv user-data.$$ user-data
${runs ? runUserData : ':'}
is_ours
base64 -d > settings.$$ <<'END'
${Buffer.from(settings).toString('base64')}
END
mv settings.$$ ${quoted(machine.settings)}
( ${pool.join}
) </dev/null >&2
echo ${spec.id} > joined
`;
  await run(pool, machine, script, pool.commandWithin, options);
}

/** What it said last is why it failed: its log goes with the machine. */
const runUserData = `chmod 700 user-data
./user-data </dev/null >user-data.log 2>&1 || { echo "user data ended with status $?: $(tail -n 1 user-data.log)" >&2; exit 1; }`;

/** Whoever has taken the machine meanwhile has it awake. */
const sleepScript = (folder: string, sleep: string): string => `[ ! -e ${quoted(`${folder}/claim`)} ] || exit 0
( ${sleep}
) </dev/null >&2
`;

/** Stops the agent of a machine, which stays whose it is, and has it sleep where it can. @throws Unavailable, ProgramFailed */
export async function pause(pool: Pool, machine: PoolMachine, claim: Claim, options: RemoteOptions): Promise<void> {
  await run(pool, machine, ofOurs(machine, claim, pool.pause), pool.commandWithin, options);
  // It goes while it is asked to: no answer is one too.
  if (machine.sleep !== undefined)
    await run(pool, machine, ofOurs(machine, claim, machine.sleep), pool.connectWithin * 3, options).catch(() => '');
}

/** Starts the agent of a machine that was paused. @throws Unavailable, ProgramFailed */
export async function resume(pool: Pool, machine: PoolMachine, claim: Claim, options: RemoteOptions): Promise<void> {
  await run(pool, machine, ofOurs(machine, claim, pool.join), pool.commandWithin, options);
}

/** A command that runs on a machine while it is somebody's. */
const ofOurs = (
  { folder }: PoolMachine,
  { id, owner }: Claim,
  command: string,
): string => `cd ${quoted(folder)} || exit ${taken}
[ "$(cat claim 2>/dev/null)" = ${quoted(`${id} ${owner}`)} ] || exit ${taken}
( ${command}
) </dev/null >&2
`;

/** Stops the agent of a machine and puts it back, unless it is another's by now. */
export async function leave(pool: Pool, machine: PoolMachine, claim: Claim, options: RemoteOptions): Promise<void> {
  const script = `set -e
cd ${quoted(machine.folder)} || exit 0
[ "$(cat claim 2>/dev/null)" = ${quoted(`${claim.id} ${claim.owner}`)} ] || exit 0
( ${pool.leave}
) </dev/null >&2
rm -f ${quoted(machine.settings)} settings.* user-data* joined
rm -f claim
`;
  await run(pool, machine, script, pool.commandWithin, options);
  // It goes while it is asked to: no answer is one too.
  if (machine.sleep !== undefined)
    await run(pool, machine, sleepScript(machine.folder, machine.sleep), pool.connectWithin * 3, options).catch(
      () => '',
    );
}
