import { execFile } from 'node:child_process';
import { access, constants, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The suite's own main branch of July 2026: it has no release of its present form. */
const module = 'github.com/opencontainers/distribution-spec/conformance';
const version = 'v0.0.0-20260716174315-967efdc079b9';

export interface ConformanceSuite {
  readonly path?: string;
  /** Why the suite cannot run. */
  readonly missing?: string;
  /** Whether that is this machine's fault (no Go) rather than that of the network, which may not offer the module. */
  readonly fault?: 'machine' | 'network';
}

/**
 * Finds the suite's program: named by `OCI_CONFORMANCE`, or as `oci-conformance` on the PATH, or built earlier, or now by
 * `go install` into the user's cache.
 */
export async function findConformanceSuite(): Promise<ConformanceSuite> {
  const named = process.env['OCI_CONFORMANCE'];
  const folder = join(
    process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    'slipway',
    `oci-conformance-${version}`,
  );
  const places = (process.env['PATH'] ?? '').split(delimiter).map((place) => join(place, 'oci-conformance'));
  for (const path of [...(named === undefined ? [] : [named]), ...places, join(folder, 'conformance')]) {
    if (await isExecutable(path)) return { path };
  }
  await mkdir(folder, { recursive: true });
  try {
    await run('go', ['install', `${module}@${version}`], {
      env: { ...process.env, GOBIN: folder, GOFLAGS: '' },
      timeout: 240_000,
    });
    return { path: join(folder, 'conformance') };
  } catch (error) {
    const { code, stderr } = error as { code?: string; stderr?: string };
    if (code === 'ENOENT')
      return { missing: 'Go 1.24 or newer is needed to build the OCI conformance suite', fault: 'machine' };
    return {
      missing: `go install ${module} failed: ${stderr?.trim().split('\n').at(-1) ?? 'no reason given'}`,
      fault: 'network',
    };
  }
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
