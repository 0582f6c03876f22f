import type { Answer } from '../exchange.ts';

const maxWarningBytes = 4096;
const warnings = /^299 - "(?:[^"\\]|\\.)*"(?:\s*,\s*299 - "(?:[^"\\]|\\.)*")*$/;

/** What every answer has to keep to, whatever was asked: how warnings look, and when to come back after too many requests. */
export function badManners({ what, status, headers }: Answer): string[] {
  const lines = headers['warning'] ?? [];
  const problems = lines
    .filter((line) => !warnings.test(line))
    .map((line) => `${what}: Warning is '${line.slice(0, 200)}', not 299 - "…" without a date`);
  if (lines.join('').length > maxWarningBytes) problems.push(`${what}: more than ${maxWarningBytes} bytes of warnings`);
  if (status === 429 && headers['retry-after'] === undefined) problems.push(`${what}: 429 without Retry-After`);
  return problems;
}
