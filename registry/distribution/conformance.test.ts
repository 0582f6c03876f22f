import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { engineNames, missingEngine, startEngines } from '../testing/engines.ts';
import { passwordOf } from '../testing/docker-client.ts';
import { serveRegistry } from '../testing/serve-registry.ts';
import { findConformanceSuite } from './testing/conformance-suite.ts';

const run = promisify(execFile);
const suite = await findConformanceSuite();

/** What the suite has for a registry that leaves nothing out: fewer means that something was not asked. */
const versions = { '1.1': 862, dev: 986 } as const;

describe.skipIf(suite.missing !== undefined)('the OCI conformance suite', () => {
  const cases = engineNames.flatMap((engine) => [
    { engine, version: '1.1' as const },
    { engine, version: 'dev' as const },
  ]);
  test.for(cases)(
    'passes every check of version $version and skips none, on $engine',
    { timeout: 180_000 },
    async ({ engine, version }, { skip }) => {
      const missing = missingEngine(engine);
      if (missing !== undefined) return skip(missing);
      await using engines = await startEngines(engine);
      await using registry = await serveRegistry(engines);
      const results = await mkdtemp(join(tmpdir(), 'slipway-conformance-'));
      const environment = {
        PATH: process.env['PATH'],
        OCI_VERSION: version,
        OCI_REGISTRY: registry.host,
        OCI_TLS: 'disabled',
        OCI_REPO1: 'conformance/one',
        OCI_REPO2: 'conformance/two',
        OCI_USERNAME: 'AWS',
        OCI_PASSWORD: await passwordOf(registry),
        // Off in the stable version unless it is asked for.
        OCI_API_BLOBS_UPLOAD_CANCEL: 'true',
        OCI_RESULTS_DIR: results,
      };
      const output = await run(suite.path as string, {
        cwd: results,
        timeout: 120_000,
        maxBuffer: 64 * 1024 * 1024,
        env: environment,
      }).then(
        ({ stdout }) => stdout,
        (error: { stdout?: string; message: string }) => `${error.message}\n${error.stdout ?? ''}`,
      );
      const report = await readFile(join(results, 'junit.xml'), 'utf8');
      await rm(results, { recursive: true, force: true });

      const notPassed = [...report.matchAll(/<testcase name="([^"]*)"[^>]*status="(?!passed)([^"]*)"/g)].map(
        ([, name, status]) => `${name}: ${status}`,
      );
      expect(notPassed).toEqual([]);
      expect(output).toContain('OCI Conformance Test: Pass');
      expect(Number(/<testsuites [^>]*tests="(\d+)"/.exec(report)?.[1])).toBeGreaterThanOrEqual(versions[version]);
      expect(registry.failures).toEqual([]);
    },
  );
});

test('the OCI conformance suite can run here', ({ skip }) => {
  // A network that does not offer the module is nobody's fault here; a machine without Go is.
  if (suite.missing !== undefined && (process.env['CI'] === undefined || suite.fault === 'network'))
    skip(suite.missing);
  expect(suite.missing).toBeUndefined();
});
