import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { ProviderError, readable } from '../instance-provider.ts';

const needed = ['dockerd', 'ip', 'iptables', 'nsenter', 'unshare'] as const;

/** Programs of the system's administrator, which a user's PATH need not have. */
export const withSystem = (path: string | undefined): string => `${path ?? '/usr/bin:/bin'}:/usr/sbin:/sbin`;

/** Why no machine can be made on this computer, and what to do; undefined when some can. @param path as in `PATH` */
export async function whatLacks(path = process.env['PATH'], user = process.getuid?.()): Promise<string | undefined> {
  if (user !== 0)
    return 'only root makes network namespaces and runs Docker engines, and this is not root: start the server as root, or name another provider';
  const absent: string[] = [];
  for (const program of needed) if (!(await isThere(program, withSystem(path)))) absent.push(program);
  return absent.length === 0
    ? undefined
    : `there is no ${absent.join(', no ')} on this computer: install the packages that have them (Debian: docker.io, iproute2, iptables, util-linux)`;
}

async function isThere(program: string, path: string): Promise<boolean> {
  for (const folder of path.split(':').filter((one) => one !== ''))
    if (
      await access(join(folder, program), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return true;
  return false;
}

const execute = promisify(execFile);

/** Runs a program that waits for nothing but the kernel. @returns what it printed @throws ProviderError with the last line of its complaint */
export async function must(program: 'ip' | 'iptables' | 'mount', ...words: readonly string[]): Promise<string> {
  try {
    const env = { PATH: withSystem(process.env['PATH']), LC_ALL: 'C' };
    const { stdout } = await execute(program, words, { env, timeout: 20_000, maxBuffer: 16 * 2 ** 20 });
    return stdout;
  } catch (cause) {
    const { code, stderr = '' } = cause as { code?: unknown; stderr?: string };
    const said = code === 'ENOENT' ? 'it is not installed' : (stderr.trim().split('\n').at(-1) ?? '');
    throw new ProviderError(`${program} ${words.join(' ')}: ${readable(said, 300)}`, { cause });
  }
}

/** Whether a program did it. */
export const done = (program: 'ip' | 'iptables', ...words: readonly string[]): Promise<boolean> =>
  must(program, ...words).then(
    () => true,
    () => false,
  );
