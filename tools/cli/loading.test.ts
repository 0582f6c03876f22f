import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../testbed/command.ts';

/** What of the command line, the simulator and the control plane a command has loaded when it ends. */
async function roomsLoaded(...args: string[]): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-loading-'));
  const env = {
    SLIPWAY_DATA: join(folder, 'data'),
    SLIPWAY_TEST_LOADED_MODULES: join(folder, 'modules'),
    NODE_OPTIONS: `--import ${join(import.meta.dirname, '..', 'e2e', 'loaded-modules.ts')}`,
  };
  try {
    await run(process.execPath, [join(import.meta.dirname, 'main.ts'), ...args], { env });
    const loaded = readFileSync(join(folder, 'modules'), 'utf8');
    return ['tools/cli', 'tools/simulator', 'scheduler/control'].filter((room) => loaded.includes(`/${room}/`));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('a command brings the control plane along only where it plays one', async () => {
  expect(await roomsLoaded('explain', 'default/web')).toEqual(['tools/cli']);
  expect(await roomsLoaded('follow', 'default/web')).toEqual(['tools/cli']);
  expect(await roomsLoaded('simulate', '--help')).toEqual(['tools/cli', 'tools/simulator', 'scheduler/control']);
});
