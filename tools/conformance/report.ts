import { type Api, apis, type Result, type Status, statuses } from './results.ts';
import type { Settings, Suite } from './suite.ts';

export interface CaseReport {
  /** The groups it is in and its own name, with slashes between. Several cases can have one name. */
  readonly name: string;
  readonly status: Status;
  /** How many checks the case is: that something is deleted and that it is gone at once are two. */
  readonly checks: number;
  /** Why it did not pass. */
  readonly reasons: readonly string[];
  readonly milliseconds: number;
}

export interface ConformanceReport {
  readonly version: Settings['version'];
  readonly passed: boolean;
  /** Checks by how they ended, those that the official suite has as well. */
  readonly counts: Readonly<Record<Status, number>>;
  /** The same of what goes beyond it. */
  readonly further: Readonly<Record<Status, number>>;
  readonly apis: Readonly<Partial<Record<Api, Status>>>;
  readonly groups: Readonly<Record<string, Status>>;
  readonly cases: readonly CaseReport[];
  readonly milliseconds: number;
}

/** Makes the report of a run. */
export function reportOf(root: Result, suite: Suite, milliseconds: number): ConformanceReport {
  const own = root.children.filter(({ name }) => name !== 'further');
  const beyond = root.children.filter(({ name }) => name === 'further');
  return {
    version: suite.settings.version,
    passed: root.status !== 'failed',
    counts: count(own),
    further: count(beyond),
    apis: Object.fromEntries(
      apis.flatMap((api) => {
        const status = suite.rows.get(api);
        return status === undefined ? [] : [[api, status]];
      }),
    ),
    groups: Object.fromEntries(
      root.children.flatMap(({ name, status }) => (status === undefined ? [] : [[name, status]])),
    ),
    cases: root.children.flatMap((group) => [...group.walk()].flatMap(caseOf)),
    milliseconds,
  };
}

function caseOf({ name, status, children, outcomes, reasons, milliseconds }: Result): CaseReport[] {
  if (status === undefined || children.length > 0) return [];
  return [{ name, status, checks: outcomes.length, reasons, milliseconds }];
}

function count(groups: readonly Result[]): Record<Status, number> {
  const outcomes = groups.flatMap((group) => [...group.walk()].flatMap((result) => result.outcomes));
  return Object.fromEntries(
    statuses.map((status) => [status, outcomes.filter((outcome) => outcome === status).length]),
  ) as Record<Status, number>;
}

/** All checks of a report's counts. */
export const totalOf = (counts: Readonly<Record<Status, number>>): number =>
  statuses.reduce((sum, status) => sum + counts[status], 0);

/** The report in JUnit's format, which build servers read. */
export function toJunit(report: ConformanceReport): string {
  const { cases } = report;
  const number = (status: Status): number => cases.filter((one) => one.status === status).length;
  const attributes = `tests="${cases.length}" failures="${number('failed')}" errors="0" skipped="${number('skipped') + number('disabled')}" time="${seconds(report.milliseconds)}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${attributes}>`,
    `  <testsuite name="OCI distribution, ${report.version}" ${attributes}>`,
    ...cases.map(junitCase),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

function junitCase({ name, status, reasons, milliseconds }: CaseReport): string {
  const at = name.lastIndexOf('/');
  const group = at === -1 ? name : name.slice(0, at);
  const open = `    <testcase classname="${inXml(group)}" name="${inXml(name)}" time="${seconds(milliseconds)}"`;
  if (status === 'passed') return `${open}/>`;
  const kind = status === 'failed' ? 'failure' : 'skipped';
  return `${open}><${kind} message="${inXml(reasons[0] ?? status)}">${inXml(reasons.join('\n'))}</${kind}></testcase>`;
}

const seconds = (milliseconds: number): string => (milliseconds / 1000).toFixed(3);

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** What XML 1.0 has no way to write is replaced. */
const inXml = (text: string): string =>
  text
    .replaceAll(/[^\t\n\r\x20-\ud7ff\ue000-\ufffd]/g, '\ufffd')
    .replaceAll(/[&<>"]/g, (sign) => entities[sign] ?? sign);
