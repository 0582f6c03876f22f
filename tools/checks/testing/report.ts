import { writeFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule } from 'vitest/node';
import type { TestReport } from '../verdict.ts';

/** A vitest reporter: what became of every file, as a `TestReport` in the file that `SLIPWAY_TEST_REPORT` names. */
export default class ReportFile implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env['SLIPWAY_TEST_REPORT'];
    if (file === undefined) throw new Error('SLIPWAY_TEST_REPORT does not name a file to write the report to');
    const report: TestReport = { unhandled: unhandled.length, files: modules.map(ofModule) };
    writeFileSync(file, JSON.stringify(report));
  }
}

function ofModule(module: TestModule): TestReport['files'][number] {
  const tests = [...module.children.allTests()].map((test) => ({ name: test.fullName, state: test.result().state }));
  const failed = tests.filter(({ state }) => state === 'failed').map(({ name }) => name);
  return {
    file: module.moduleId,
    passed: tests.filter(({ state }) => state === 'passed').length,
    skipped: tests.filter(({ state }) => state === 'skipped').length,
    // A file can fail without any of its tests: what it imports, a hook, a test that never ended.
    failed: module.ok() || failed.length > 0 ? failed : ['(the file itself)'],
  };
}
