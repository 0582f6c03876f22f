import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

/** Builds unless whoever had the lock before has done so: `$1` is the program's name, `$2` the module. */
const buildUnlessThere =
  'for place in "${GOBIN:-$HOME/go/bin}" $(echo "$PATH" | tr : " "); do [ -x "$place/$1" ] && exit; done; exec go install "$2"';

/**
 * A program that tests run and that Go builds: from the path, from Go's folder, or, under CI, built now (minutes). Of several test
 * files that ask at once, one builds and the others wait for it.
 * @param module `path@version`, as `go install` takes it
 * @returns its path; undefined when it is not there, and cannot be built or may not
 */
export function findGoProgram(name: string, module: string): string | undefined {
  const found = find(name);
  if (found !== undefined || !process.env['CI'] || spawnSync('go', ['version']).status !== 0) return found;
  const lock = join(tmpdir(), `slipway-go-${userInfo().uid}-${name}.lock`);
  spawnSync('flock', [lock, 'sh', '-c', buildUnlessThere, 'sh', name, module], { stdio: 'ignore', timeout: 900_000 });
  return find(name);
}

function find(name: string): string | undefined {
  const places = [...(process.env['PATH'] ?? '').split(':'), process.env['GOBIN'] ?? join(homedir(), 'go', 'bin')];
  return places.map((place) => join(place, name)).find((path) => existsSync(path));
}
