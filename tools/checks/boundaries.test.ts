import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { checkBoundaries } from './boundaries.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-boundaries-'));
afterEach(() => rmSync(root, { recursive: true, force: true }));

function workspace(files: Readonly<Record<string, string>>): string[] {
  for (const project of ['storage', 'auth', 'registry', 'scheduler', 'tools']) {
    mkdirSync(join(root, project), { recursive: true });
    const dependencies = { '@slipway/storage': '*', '@slipway/auth': '*', '@slipway/registry': '*', koa: '*' };
    writeFileSync(join(root, project, 'package.json'), JSON.stringify({ dependencies }));
  }
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return checkBoundaries(root);
}

test('imports that follow the direction pass', () => {
  expect(
    workspace({
      'registry/images/a.ts': `import { x } from '@slipway/storage/records'; \nimport { y } from './b.ts';\nimport koa from 'koa';`,
    }),
  ).toEqual([]);
});

test.each([
  [
    'registry and scheduler never meet',
    'scheduler/a.ts',
    `import { x } from '@slipway/registry/images';`,
    'scheduler may not import registry',
  ],
  ['storage knows nobody', 'storage/a.ts', `export { x } from '@slipway/auth/policy';`, 'storage may not import auth'],
  ['a relative import stays in its package', 'auth/a.ts', `import '../storage/x.ts';`, 'leaves auth/'],
  ['placement stays pure', 'scheduler/placement/a.ts', `import { x } from '../state/index.ts';`, 'must stay pure'],
  ['placement does no I/O', 'scheduler/placement/a.ts', `import fs from 'node:fs';`, 'must stay pure'],
  ['dependencies are declared', 'auth/a.ts', `const x = await imp${'ort'}('left-pad');`, 'is not declared'],
])('%s', (_name, path, text, problem) => {
  expect(workspace({ [path]: text }).join()).toContain(problem);
});
