import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { providerFindings } from './doctor-providers.ts';

test('says why this computer can make no machines', async () => {
  // To root there is a route to it; others may not make any.
  const docker = { range: { base: 127 * 2 ** 24, length: 24 }, most: 2 };
  const [found] = await providerFindings({ instanceProviders: [{ name: 'here', docker }] });
  expect(found).toMatchObject({ what: 'instance provider here', state: 'problem' });
  expect(found?.detail).toMatch(/^no machine can be made: (only root|this computer has a route to 127\.)/);
});

test('says which programs that make machines cannot be run, and why', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-providers-'));
  try {
    const files = { right: 0o755, plain: 0o644 };
    for (const [name, mode] of Object.entries(files)) writeFileSync(join(folder, name), '#!/bin/sh\n', { mode });
    writeFileSync(join(folder, 'windows'), '#!/bin/sh\r\n', { mode: 0o755 });
    writeFileSync(join(folder, 'binary'), Buffer.from([0x7f, 0x45, 0x4c, 0x46]), { mode: 0o755 });
    const commands = {
      right: join(folder, 'right'),
      plain: join(folder, 'plain'),
      none: join(folder, 'none'),
      folder,
      windows: join(folder, 'windows'),
      binary: join(folder, 'binary'),
    };
    const instanceProviders = Object.entries(commands).map(([name, program]) => ({ name, command: [program] }));
    const found = await providerFindings({ instanceProviders });
    expect(found.map(({ what, state }) => [what, state])).toEqual([
      ['instance provider right', 'ok'],
      ['instance provider plain', 'problem'],
      ['instance provider none', 'problem'],
      ['instance provider folder', 'problem'],
      ['instance provider windows', 'problem'],
      ['instance provider binary', 'ok'],
    ]);
    expect(found.map(({ detail }) => detail.split(':')[0]?.replace(folder, ''))).toEqual([
      '/right can be run',
      '/plain is not executable',
      '/none cannot be read (ENOENT)',
      ' is no file',
      String.raw`/windows is to be run by "/bin/sh\r", which is not there`,
      '/binary can be run',
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('says why prepared machines cannot be reached', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-pool-'));
  try {
    const key = join(folder, 'key');
    writeFileSync(key, 'key', { mode: 0o644 });
    const files = {
      none: undefined,
      broken: {},
      open: { key, knownHosts: '/dev/null', machines: [{ name: 'a', host: '127.0.0.1' }] },
    };
    for (const [name, pool] of Object.entries(files))
      if (pool !== undefined) writeFileSync(join(folder, name), JSON.stringify(pool));
    const found = await providerFindings({
      instanceProviders: Object.keys(files).map((name) => ({ name, ssh: { file: join(folder, name) } })),
    });
    expect(found.map(({ state }) => state)).toEqual(['problem', 'problem', 'problem']);
    expect(found.map(({ detail }) => detail.replaceAll(folder, ''))).toEqual([
      '/none cannot be read (ENOENT): no machine can be taken into service',
      expect.stringMatching(/^\/broken: key .*: no machine can be taken into service$/),
      'others may read /key, so ssh refuses it: no machine can be taken into service; chmod 600 the file',
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
