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

test('doors, tests and lower rooms are open', () => {
  expect(
    workspace({
      'registry/ecr/a.ts': `import { x } from '../images/index.ts';`,
      'registry/ecr/a.test.ts': `import { x } from '../images/keys.ts';`,
      'registry/ecr/testing/a.ts': `import { x } from '../../images/keys.ts';`,
      'storage/engine/a.ts': `const x = await imp${'ort'}('../records/redis-records.ts');`,
      'scheduler/hosts/agent/a.ts': `import { x } from '../wire/index.ts';\nimport { y } from './endpoint/deep.ts';`,
      'auth/policy/a.ts': `import { isIP } from 'node:net';`,
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
  [
    'a room is entered by its index',
    'registry/ecr/a.ts',
    `import { x } from '../images/keys.ts';`,
    'goes past the index of images/',
  ],
  [
    'also deep inside',
    'registry/ecr/a.ts',
    `import type { X } from '../images/deep/index.ts';`,
    'goes past the index of images/',
  ],
  [
    'contract imports nobody',
    'auth/contract/a.ts',
    `import { x } from '../kit/index.ts';`,
    'goes up: contract/ lies below kit/',
  ],
  [
    'rooms beside each other do not meet',
    'scheduler/ecs/a.ts',
    `import { x } from '../triggers/index.ts';`,
    'or beside it',
  ],
  [
    'the agent knows nothing of the server',
    'scheduler/hosts/agent/a.ts',
    `import { x } from '../control/index.ts';`,
    'goes up: hosts/agent/ lies below hosts/control/',
  ],
  ['a new room is given a place', 'scheduler/new/a.ts', `import { x } from '../state/index.ts';`, 'where new/ stands'],
  ['policies do no I/O', 'auth/policy/a.ts', `import { readFile } from 'node:fs';`, 'policy/ must stay pure'],
  [
    "tests' helpers stay with tests",
    'auth/a/a.ts',
    `import { x } from '@slipway/storage/records/testing';`,
    'is for tests',
  ],
  ['dependencies are declared', 'auth/a.ts', `const x = await imp${'ort'}('left-pad');`, 'is not declared'],
])('%s', (_name, path, text, problem) => {
  expect(workspace({ [path]: text }).join()).toContain(problem);
});
