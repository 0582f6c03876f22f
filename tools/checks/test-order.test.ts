import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { needsOwnProcess, rooms, sharingFiles } from './testing/shared-processes.ts';
import { longest, placeOf } from './testing/test-order.ts';

const root = join(import.meta.dirname, '..', '..');

describe('the order of a whole run', () => {
  test('files that take minutes come before other end-to-end tests, and those of registry clients last', () => {
    expect(longest.filter((file) => !existsSync(root + file))).toEqual([]);
    const files = [
      '/tools/e2e/clients/docker.test.ts',
      '/scheduler/ecs/services.test.ts',
      '/tools/cli/errors.test.ts',
      '/tools/e2e/exec.test.ts',
      '/tools/e2e/gc.test.ts',
      '/tools/e2e/terraform/terraform.test.ts',
      '/storage/leases/lead.test.ts',
      '/tools/simulator/world/world.test.ts',
    ];
    expect(files.toSorted((a, b) => placeOf(a) - placeOf(b))).toEqual(files.toReversed());
  });
});

describe('processes that test files share', () => {
  test('every room that is named is there', () => {
    const named = Object.entries(rooms).flatMap(([name, list]) => list.map((room) => `${name}/${room}/**/*.test.ts`));
    expect(named.filter((pattern) => globSync(pattern, { cwd: root }).length === 0)).toEqual([]);
  });

  test('files of other rooms, and what replaces functions or starts programs, have one of their own', () => {
    const files = sharingFiles(join(root, 'scheduler'), 'scheduler');
    expect(files).toContain('ecs/services.test.ts');
    // It watches a function.
    expect(files).not.toContain('settings/rotation/rotation.test.ts');
    // It begins engines.
    expect(files).not.toContain('balancing/traffic/fail-open.test.ts');
    expect(files.filter((file) => file.startsWith('hosts/'))).toEqual([]);
    expect(sharingFiles(join(root, 'storage'), 'storage')).toEqual([]);
    expect(
      ['vi.mock(', "vi.spyOn(fs, 'x')", "process.env['X'] = '1'", 'await withCounters(', 'spawn('].map(needsOwnProcess),
    ).toEqual([true, true, true, true, true]);
    expect(needsOwnProcess("const x = process.env['X'] === '1'")).toBe(false);
  });
});
