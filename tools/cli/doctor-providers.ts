import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';

import type { ServerConfig } from '../server/config.ts';
import { type Finding, ok, problem } from './finding.ts';

/** Whether the programs that make machines of Auto Scaling groups can be run by whoever asks; nothing when there are none. */
export async function providerFindings({
  instanceProviders,
}: Pick<ServerConfig, 'instanceProviders'>): Promise<Finding[]> {
  return Promise.all(
    instanceProviders.map(async ({ name, command: [program = ''] }) => {
      const what = `instance provider ${name}`;
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
