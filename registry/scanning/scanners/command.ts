import { spawn } from 'node:child_process';
import * as z from 'zod';
import { parseOsv, severityOfScore, severityOfWord } from '../../advisories/index.ts';
import { BoundedJson } from './bounded-json.ts';
import { type Finding, type Scanner, ScannerFailed, type ScanReport, type ScanTarget } from './scanner.ts';

export interface CommandOptions {
  readonly program: string;
  /** `{image}`, `{digest}`, `{repository}`, `{account}` and `{tag}` stand for what is scanned. No shell is in between. */
  readonly arguments: readonly string[];
  /** The image as the program is to name it, e.g. `registry.local:7500/web@sha256:…`. */
  readonly reference: (target: ScanTarget) => string;
  /** Added to `PATH` and `HOME`, which is all the program gets. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Bytes of its output. Default 32 MiB. */
  readonly outputBytes?: number;
}

/**
 * A scanner that is a program: it gets the image's reference and writes what it found, as OSV records (`{ "vulnerabilities": […] }`,
 * or osv-scanner's `{ "results": […] }`) or as SARIF 2.1.0, to its output. Exit codes 0 and 1 are both answers, as scanners use
 * 1 for "found something". When its time is over, or it writes too much, it is killed with all it started.
 */
export function commandScanner(options: CommandOptions): Scanner {
  return {
    name: 'command',
    async scan(target, signal) {
      const image = options.reference(target);
      const values: Readonly<Record<string, string>> = {
        image,
        digest: target.digest,
        repository: target.repository,
        account: target.account,
        tag: target.tags[0] ?? '',
      };
      const args = options.arguments.map((text) =>
        text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole),
      );
      return reportOf(await run(options, args, signal));
    },
  };
}

function run(options: CommandOptions, args: readonly string[], signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  const most = options.outputBytes ?? 32 * 1024 * 1024;
  const { PATH = '/usr/bin:/bin', HOME = '/' } = process.env;
  return new Promise((resolve, reject) => {
    // A group of its own, so that nothing it started is left behind.
    const child = spawn(options.program, args, {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH, HOME, ...options.environment },
    });
    const output = new BoundedJson('The output of the scan command', most);
    let complaint = '';
    const kill = (): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    };
    const fail = (reason: Error): void => {
      kill();
      child.stdout.destroy();
      child.stderr.destroy();
      reject(reason);
    };
    const abort = (): void => fail(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    child.stdout.on('data', (chunk: Buffer) => {
      try {
        output.take(chunk);
      } catch (error) {
        fail(error as Error);
      }
    });
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-300);
    });
    child.on('error', (cause) =>
      fail(new ScannerFailed(`The scan command ${options.program} cannot be started.`, { cause })),
    );
    child.on('close', (code, killed) => {
      signal.removeEventListener('abort', abort);
      kill();
      try {
        if (code === 0 || code === 1) resolve(output.read());
        else {
          const how = `${killed ?? `code ${code}`}${complaint === '' ? '' : `: ${complaint.trim()}`}`;
          throw new ScannerFailed(`The scan command ended with ${how}`);
        }
      } catch (error) {
        reject(error as Error);
      }
    });
  });
}

const text = z.string().max(100_000);
const osvShape = z.object({
  results: z
    .array(
      z.object({
        packages: z
          .array(
            z.object({
              package: z.object({ name: text, version: text.default(''), ecosystem: text.optional() }),
              vulnerabilities: z.array(z.unknown()).default([]),
            }),
          )
          .default([]),
      }),
    )
    .max(100_000),
});
const flatShape = z.object({ vulnerabilities: z.array(z.unknown()).max(100_000) });
const sarifShape = z.object({
  runs: z.array(
    z.object({
      tool: z.object({
        driver: z.object({
          rules: z
            .array(
              z.object({
                id: text,
                helpUri: text.optional(),
                shortDescription: z.object({ text }).optional(),
                properties: z
                  .object({ 'security-severity': z.union([text, z.number()]).optional() })
                  .loose()
                  .optional(),
              }),
            )
            .default([]),
        }),
      }),
      results: z
        .array(
          z.object({
            ruleId: text,
            level: text.optional(),
            message: z.object({ text: text.default('') }),
            properties: z.record(z.string(), z.unknown()).optional(),
          }),
        )
        .max(100_000)
        .default([]),
    }),
  ),
});

function reportOf(value: unknown): ScanReport {
  const sarif = sarifShape.safeParse(value);
  if (sarif.success) return { findings: sarif.data.runs.flatMap(findingsOfRun) };
  const grouped = osvShape.safeParse(value);
  if (grouped.success) {
    return {
      findings: grouped.data.results.flatMap((result) =>
        result.packages.flatMap((entry) =>
          entry.vulnerabilities.flatMap((record) => findingsOfOsv(record, entry.package)),
        ),
      ),
    };
  }
  const flat = flatShape.safeParse(value);
  if (flat.success) return { findings: flat.data.vulnerabilities.flatMap((record) => findingsOfOsv(record)) };
  throw new ScannerFailed('The output of the scan command is neither OSV nor SARIF.');
}

/** One finding for each package that the record names, or for the one it was reported about. */
function findingsOfOsv(record: unknown, about?: { readonly name: string; readonly version: string }): Finding[] {
  const parsed = parseOsv(record);
  if ('problem' in parsed)
    throw new ScannerFailed(`The scan command reports something that is no OSV record: ${parsed.problem}.`);
  if ('withdrawn' in parsed) return [];
  const { advisory, affected } = parsed;
  const packages = about ? [about] : affected.map(({ name, versions }) => ({ name, version: versions[0] ?? '' }));
  return (packages.length === 0 ? [{ name: '', version: '' }] : packages).map((pack) => ({
    name: advisory.name,
    severity: advisory.severity,
    description: advisory.summary,
    uri: advisory.uri,
    package: pack,
    source: advisory.id,
    references: advisory.references,
    ...(advisory.score ? { score: advisory.score } : {}),
  }));
}

function findingsOfRun(run: z.infer<typeof sarifShape>['runs'][number]): Finding[] {
  const rules = new Map(run.tool.driver.rules.map((rule) => [rule.id, rule]));
  return run.results.map((result) => {
    const rule = rules.get(result.ruleId);
    const score = Number(rule?.properties?.['security-severity'] ?? Number.NaN);
    const property = (name: string): string => {
      const value = result.properties?.[name];
      return typeof value === 'string' ? value : '';
    };
    return {
      name: result.ruleId,
      severity: score >= 0 && score <= 10 ? severityOfScore(score) : (severityOfWord(result.level) ?? 'UNDEFINED'),
      description: result.message.text || (rule?.shortDescription?.text ?? ''),
      uri: rule?.helpUri ?? '',
      package: { name: property('package'), version: property('version') },
    };
  });
}
