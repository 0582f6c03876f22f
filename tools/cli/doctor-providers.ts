import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';

import { formatCidr } from '@slipway/scheduler/network/addresses';
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
      const [program = ''] = provider.command;
      const wrong = await unusable(program);
      return wrong === undefined
        ? ok(what, `${program} can be run`)
        : problem(what, `${wrong}: no machine can be made; correct SLIPWAY_INSTANCE_PROVIDERS, or chmod +x the file`);
    }),
  );
}

async function unusable(program: string): Promise<string | undefined> {
  try {
    if (!(await stat(program)).isFile()) return `${program} is no file`;
    await access(program, constants.X_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'EACCES' ? `${program} is not executable` : `${program} cannot be read (${code ?? String(error)})`;
  }
}
