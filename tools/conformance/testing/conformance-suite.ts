import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The suite's own main branch of July 2026: it has no release of its present form. */
const module = 'github.com/opencontainers/distribution-spec/conformance';
const version = 'v0.0.0-20260716174315-967efdc079b9';

/** What the suite puts before the name of every case. */
const prefix = 'OCI Conformance Test/';

export interface ConformanceSuite {
  readonly path?: string;
  /** Why the suite cannot run. */
  readonly missing?: string;
}

let found: Promise<ConformanceSuite> | undefined;

/**
 * Finds the OCI's own conformance program: named by `OCI_CONFORMANCE`, or as `oci-conformance` on the PATH, or built earlier,
 * or now by `go install` into the user's cache.
 */
export function findConformanceSuite(): Promise<ConformanceSuite> {
  found ??= find();
  return found;
}

async function find(): Promise<ConformanceSuite> {
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
    if (code === 'ENOENT') return { missing: 'Go 1.24 or newer is needed to build the OCI conformance suite' };
    return { missing: `go install ${module} failed: ${stderr?.trim().split('\n').at(-1) ?? 'no reason given'}` };
  }
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

export interface SuiteResult {
  readonly output: string;
  /** Names without what all have in common. */
  readonly cases: readonly { readonly name: string; readonly status: string }[];
  /** How many checks the suite counts; a case can be two. */
  readonly checks: number;
}

/** Runs the program against a registry without TLS. Uploads are cancelled in the stable version too, which leaves it to the caller. */
export async function runConformanceSuite(
  path: string,
  registry: {
    readonly host: string;
    readonly version: 'stable' | 'dev';
    readonly repositories: readonly [string, string];
    readonly username: string;
    readonly password: string;
  },
): Promise<SuiteResult> {
  const results = await mkdtemp(join(tmpdir(), 'slipway-conformance-'));
  try {
    const output = await run(path, {
      cwd: results,
      timeout: 120_000,
      maxBuffer: 64 * 1024 * 1024,
      env: {
        PATH: process.env['PATH'],
        OCI_VERSION: registry.version,
        OCI_REGISTRY: registry.host,
        OCI_TLS: 'disabled',
        OCI_REPO1: registry.repositories[0],
        OCI_REPO2: registry.repositories[1],
        OCI_USERNAME: registry.username,
        OCI_PASSWORD: registry.password,
        OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
        OCI_RESULTS_DIR: results,
      },
    }).then(
      ({ stdout }) => stdout,
      (error: { stdout?: string; message: string }) => `${error.message}\n${error.stdout ?? ''}`,
    );
    const report = await readFile(join(results, 'junit.xml'), 'utf8').catch(() => '');
    const cases = [...report.matchAll(/<testcase name="([^"]*)"[^>]*status="([^"]*)"/g)].map(
      ([, name = '', status = '']) => ({ name: name.replace(prefix, ''), status }),
    );
    return { output, cases, checks: Number(/<testsuites [^>]*tests="(\d+)"/.exec(report)?.[1] ?? 0) };
  } finally {
    await rm(results, { recursive: true, force: true });
  }
}
