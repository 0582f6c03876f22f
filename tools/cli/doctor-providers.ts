import { constants } from 'node:fs';
import { access, open, stat } from 'node:fs/promises';

import { formatCidr } from '@slipway/scheduler/network/addresses';
import { readPool, standings } from '@slipway/scheduler/scaling/providers';
import type { ServerConfig } from '../server/config.ts';
import { dockerTrouble } from '../server/docker-trouble.ts';
import { type Finding, ok, problem } from './finding.ts';

/** Whether machines of Auto Scaling groups can be made by whoever asks: whether programs can be run, and what this computer lacks; nothing when there are no providers. */
export async function providerFindings({
  instanceProviders,
}: Pick<ServerConfig, 'instanceProviders'>): Promise<Finding[]> {
  return Promise.all(
    instanceProviders.map(async (provider) => {
      const what = `instance provider ${provider.name}`;
      if ('docker' in provider) {
        const trouble = await dockerTrouble(provider.docker);
        const { range, most } = provider.docker;
        return trouble === undefined
          ? ok(what, `this computer makes up to ${most} machines, with addresses of ${formatCidr(range)}`)
          : problem(what, `no machine can be made: ${trouble}`);
      }
      if ('ssh' in provider) return poolFinding(what, provider.ssh.file);
      const [program = ''] = provider.command;
      const wrong = await unusable(program);
      return wrong === undefined
        ? ok(what, `${program} can be run`)
        : problem(what, `${wrong}: no machine can be made; correct SLIPWAY_INSTANCE_PROVIDERS, or chmod +x the file`);
    }),
  );
}

/** Seconds that a machine of a pool has to answer. */
const answersWithin = 5;

/** Whether prepared machines can be reached: that the file of the pool can be read, that nobody else may read the key, and that they answer. */
async function poolFinding(what: string, file: string): Promise<Finding> {
  const none = 'no machine can be taken into service';
  try {
    const pool = await readPool(file);
    const { mode } = await stat(pool.key);
    if ((mode & 0o077) !== 0)
      return problem(what, `others may read ${pool.key}, so ssh refuses it: ${none}; chmod 600 the file`);
    await access(pool.knownHosts, constants.R_OK);
    const env = { PATH: process.env['PATH'] ?? '' };
    const all = await standings(
      { ...pool, connectWithin: answersWithin },
      { env, signal: AbortSignal.timeout(60_000) },
    );
    const silent = all.flatMap((one) =>
      'trouble' in one && one.machine.wake === undefined && one.machine.mac === undefined ? [one] : [],
    );
    const counted = `${all.filter((one) => 'claim' in one).length} of ${all.length} machines answer`;
    const [first] = silent;
    return first === undefined
      ? ok(what, `${counted}, others can be woken`)
      : problem(
          what,
          `${counted}, and ${silent.length} that do not cannot be woken: ${first.trouble}; correct ${file}`,
        );
  } catch (error) {
    return problem(what, `${error instanceof Error ? error.message : String(error)}: ${none}`);
  }
}

async function unusable(program: string): Promise<string | undefined> {
  try {
    if (!(await stat(program)).isFile()) return `${program} is no file`;
    await access(program, constants.X_OK);
    return await uninterpreted(program);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EACCES' ? `${program} is not executable` : `${program} cannot be read (${code ?? String(error)})`;
  }
}

/** As much of a file's first line as kernels look at (execve(2)). */
const mostOfLine = 255;

/** A script whose interpreter is not there can no more be run than one that is not there itself, and the kernel's word is the same. */
async function uninterpreted(program: string): Promise<string | undefined> {
  // What may be executed need not be readable: then the kernel knows.
  const file = await open(program).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(mostOfLine), 0, mostOfLine, 0);
    const [, interpreter] = /^#![ \t]*([^ \t\n]+)/.exec(buffer.toString('latin1', 0, bytesRead)) ?? [];
    if (interpreter === undefined) return undefined;
    return await access(interpreter, constants.X_OK).then(
      () => undefined,
      () => `${program} is to be run by ${JSON.stringify(interpreter)}, which is not there`,
    );
  } finally {
    await file.close();
  }
}
