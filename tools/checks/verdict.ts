/** What became of one run of tests. */
export interface TestReport {
  /** Errors that belong to no test: rejections that nobody handled, processes of tests that died. */
  readonly unhandled: number;
  readonly files: readonly {
    readonly file: string;
    readonly passed: number;
    readonly skipped: number;
    /** Names of the tests that failed. */
    readonly failed: readonly string[];
  }[];
}

/** Several runs' reports as one; a run without a report is an error that belongs to no test. */
export function together(...reports: readonly (TestReport | undefined)[]): TestReport {
  return {
    unhandled: reports.reduce((total, report) => total + (report?.unhandled ?? 1), 0),
    files: reports.flatMap((report) => report?.files ?? []),
  };
}

/** More files than this do not fail together by the machine's doing. */
const mostAgain = 5;

/** The files that are run once more, alone and one after another: those that failed, when they are few and nothing else went wrong. */
export function againOf({ files, unhandled }: TestReport): readonly string[] {
  const failed = files.filter((it) => it.failed.length > 0).map(({ file }) => file);
  return unhandled > 0 || failed.length > mostAgain ? [] : failed;
}

/** What a run ends with. */
export interface Verdict {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Tests that failed beside others and passed alone, each as `file: name`: faults of the test or the product that are to be mended. */
  readonly unsteady: readonly string[];
}

/**
 * Counts a run, and the second one of the files that failed in it when there was one: a test that fails both times has failed;
 * one that passes alone is named as unsteady.
 */
export function verdictOf(first: TestReport, second?: TestReport): Verdict {
  const again = new Map(second?.files.map((it) => [it.file, it]));
  const files = first.files.map((it) => again.get(it.file) ?? it);
  const sum = (count: (file: TestReport['files'][number]) => number): number =>
    files.reduce((total, it) => total + count(it), 0);
  return {
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed.length) + first.unhandled + (second?.unhandled ?? 0),
    skipped: sum(({ skipped }) => skipped),
    unsteady: first.files.flatMap(({ file, failed }) => {
      const other = again.get(file);
      return other === undefined
        ? []
        : failed.filter((name) => !other.failed.includes(name)).map((name) => `${file}: ${name}`);
    }),
  };
}
