import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Engines,
  engineNames,
  missingEngine,
  passwordOf,
  type ServedRegistry,
  serveRegistry,
  startEngines,
} from '@slipway/registry/testing';
import { type ConformanceReport, runConformance, totalOf } from './index.ts';
import { findConformanceSuite, runConformanceSuite } from './testing/conformance-suite.ts';

/** How many checks there are for a registry that leaves nothing out: fewer means that something was not asked. */
const versions = { stable: 862, dev: 986 } as const;
type Version = keyof typeof versions;
const repositories = ['conformance/one', 'conformance/two'] as const;

describe.for(engineNames)('the OCI distribution specification, on %s', (engine) => {
  const missing = missingEngine(engine);
  let engines: Engines;
  let registry: ServedRegistry;
  let credentials: { readonly username: string; readonly password: string };
  /** One run for each version, which two tests look at. */
  const reports = new Map<Version, Promise<ConformanceReport>>();
  const ownReport = (version: Version): Promise<ConformanceReport> => {
    const report =
      reports.get(version) ??
      runConformance({ registry: registry.url, version, repositories, credentials, uploadCancel: true });
    reports.set(version, report);
    return report;
  };

  beforeAll(async () => {
    if (missing !== undefined) return;
    engines = await startEngines(engine);
    registry = await serveRegistry(engines);
    credentials = { username: 'AWS', password: await passwordOf(registry) };
  });

  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await engines?.[Symbol.asyncDispose]();
  });

  test.for(['stable', 'dev'] as const)(
    'every check of version %s passes, and none is skipped',
    { timeout: 180_000 },
    async (version, { skip }) => {
      if (missing !== undefined) return skip(missing);
      const report = await ownReport(version);
      const notPassed = report.cases
        .filter(({ status }) => status !== 'passed')
        .map(({ name, status, reasons }) => `${name}: ${status}, ${reasons.join('; ')}`);
      expect(notPassed).toEqual([]);
      expect(totalOf(report.counts)).toBe(versions[version]);
      expect(report.counts.passed).toBe(versions[version]);
      // Every row but those that the version does not have.
      expect(Object.values(report.apis).filter((status) => status === 'passed')).toHaveLength(
        version === 'dev' ? 28 : 27,
      );
      expect(totalOf(report.further)).toBeGreaterThanOrEqual(19);
      expect(registry.failures).toEqual([]);
    },
  );

  test.for(['stable', 'dev'] as const)(
    "the OCI's own program passes as well in version %s, and asks what we asked, by name and number",
    { timeout: 400_000 },
    async (version, { skip }) => {
      if (missing !== undefined) return skip(missing);
      const program = await findConformanceSuite();
      if (program.path === undefined) return skip(program.missing);
      const official = await runConformanceSuite(program.path, {
        host: registry.host,
        version,
        repositories,
        ...credentials,
      });
      expect(official.cases.filter(({ status }) => status !== 'passed')).toEqual([]);
      expect(official.output).toContain('OCI Conformance Test: Pass');
      expect(official.checks).toBe(versions[version]);
      const ours = (await ownReport(version)).cases
        .map(({ name }) => name)
        .filter((name) => !name.startsWith('further/'));
      expect(official.cases.map(({ name }) => name).toSorted()).toEqual(ours.toSorted());
      expect(registry.failures).toEqual([]);
    },
  );
});
