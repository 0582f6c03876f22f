import { isIP } from 'node:net';
import { text } from 'node:stream/consumers';
import { styleText } from 'node:util';
import {
  type ConformanceReport,
  groupNames,
  runConformance,
  type Status,
  toJunit,
  totalOf,
} from '../conformance/index.ts';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson, table } from './output.ts';
import { Progress } from './progress.ts';

export interface ConformanceCommand {
  readonly spec: string;
  readonly uploadCancel?: boolean;
  readonly username?: string;
  readonly passwordStdin?: boolean;
  readonly repositories: readonly string[];
  readonly group?: readonly string[];
  readonly output: string;
}

/**
 * `slipway conformance`: asks a registry, through whatever stands before it, everything that the OCI Distribution Specification
 * demands; exit 1 when something failed. What the registry leaves out is told, and is no failure.
 */
export async function conformance(registry: string, options: ConformanceCommand): Promise<void> {
  const output = options.output === 'junit' ? 'junit' : parseOutput(options.output);
  const { spec: version, repositories, group: groups } = options;
  if (version !== 'stable' && version !== 'dev')
    throw new CliError(`--spec is stable (1.1) or dev (what comes after it), not '${version}'`, 2);
  const [first, second, ...others] = repositories;
  if (first === undefined || second === undefined || others.length > 0 || first === second)
    throw new CliError(
      '--repositories takes two names: content is pushed into the first, mounts come from the second',
      2,
    );
  const unknown = groups?.find((name) => !groupNames(version).includes(name));
  if (unknown !== undefined)
    throw new CliError(`there is no group '${unknown}'; there are: ${groupNames(version).join(', ')}`, 2);
  const address = addressOf(registry);
  const credentials = await credentialsOf(options);
  const progress = new Progress(address.host);
  let done = 0;
  try {
    const report = await runConformance({
      registry: address,
      version,
      repositories: [first, second],
      ...(options.uploadCancel ? { uploadCancel: true } : {}),
      ...(credentials === undefined ? {} : { credentials }),
      ...(groups === undefined ? {} : { groups }),
      onCase: ({ name }) => progress.show(`${++done} cases, ${name}`),
    });
    progress.end();
    if (output === 'json') printJson(report);
    else if (output === 'junit') process.stdout.write(toJunit(report));
    else show(report);
    if (!report.passed) process.exitCode = 1;
  } finally {
    progress.end();
  }
}

/** Like docker, this takes a bare host for HTTPS, and one of this machine for HTTP. */
function addressOf(registry: string): URL {
  const host = registry.replace(/:\d+$/, '');
  const isLocal = host === 'localhost' || host === '[::1]' || (isIP(host) === 4 && host.startsWith('127.'));
  const written = /^https?:\/\//.test(registry) ? registry : `${isLocal ? 'http' : 'https'}://${registry}`;
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (url === undefined || url.username !== '' || url.pathname !== '/' || url.search !== '')
    throw new CliError(`name the registry as <host>[:<port>] or http(s)://<host>[:<port>], not '${registry}'`, 2);
  return url;
}

async function credentialsOf({ username, passwordStdin }: ConformanceCommand) {
  if ((username === undefined) !== (passwordStdin !== true))
    throw new CliError(
      '--username and --password-stdin go together; without both the registry is asked anonymously',
      2,
    );
  if (username === undefined) return undefined;
  const password = (await text(process.stdin)).replace(/\r?\n$/, '');
  if (password === '') throw new CliError('--password-stdin: there is no password on standard input', 2);
  return { username, password };
}

function show(report: ConformanceReport): void {
  for (const { name, status, reasons } of report.cases)
    if (status === 'failed' || status === 'skipped') {
      print(`${mark(status)} ${name}`);
      for (const reason of reasons) print(`          ${reason}`);
    }
  const missing = Object.entries(report.apis).filter(([, status]) => status === 'failed' || status === 'skipped');
  if (missing.length > 0) print(`\n${table(['NOT WHOLLY SUPPORTED', ''], missing)}`);
  print(`\nOCI distribution, ${report.version}: ${summary(report.counts)}`);
  if (totalOf(report.further) > 0) print(`beyond the official suite: ${summary(report.further)}`);
}

function summary(counts: ConformanceReport['counts']): string {
  const parts = Object.entries(counts).filter(([status, count]) => count > 0 && status !== 'passed');
  return [
    `${counts.passed} of ${totalOf(counts)} checks passed`,
    ...parts.map(([status, count]) => `${count} ${status === 'disabled' ? 'not asked for' : status}`),
  ].join(', ');
}

const mark = (status: Status): string =>
  status === 'failed' ? styleText('red', 'failed   ') : styleText('yellow', status.padEnd(9));
