import { type ColumnsPattern, matchColumns, readColumns } from './columns.ts';
import { jsonFields, type JsonPattern, matchesJson, readJson } from './json.ts';
import { Scanner } from './scanner.ts';
import { matchesText, readText, type TextPattern } from './text.ts';

/** Characters of a pattern (CloudWatch Logs API reference, FilterPattern). */
export const mostCharacters = 1024;

/** A filter pattern: which lines it lets through. It keeps nothing from one line to the next. */
export interface FilterPattern {
  readonly text: string;
  /** Takes time in proportion to the length of the line, whatever the pattern is. */
  readonly matches: (line: string) => boolean;
  /** Of a line that matches: the values of the fields that the pattern names, as TestMetricFilter shows them (`$.status`, `$bytes`). */
  readonly extract: (line: string) => Readonly<Record<string, string>>;
  /** Texts of which every line that matches holds all, so that others need not be read. */
  readonly needs: readonly string[];
}

/**
 * Reads a filter pattern (CloudWatch Logs user guide, "Filter pattern syntax"): terms, `{ $.field = value }` over JSON, or `[columns]`.
 * The empty pattern lets every line through.
 * @throws PatternError that says at which character it is wrong
 */
export function parsePattern(text: string): FilterPattern {
  const scanner = new Scanner(text);
  if (text.length > mostCharacters) scanner.fail(`a pattern has ${mostCharacters} characters at most.`, mostCharacters);
  scanner.skipSpace();
  if (!scanner.take('{') && !scanner.take('[')) {
    const pattern = readText(scanner);
    return { text, matches: (line) => matchesText(pattern, line), extract: () => ({}), needs: needsOf(pattern) };
  }
  const pattern = scanner.text.charAt(scanner.at - 1) === '{' ? readJson(scanner) : readColumns(scanner);
  scanner.skipSpace();
  if (!scanner.isOver) scanner.fail(`${scanner.shown} stands after the end. Remove what follows the closing bracket.`);
  return { text, ...evaluated(pattern), needs: [] };
}

const needsOf = ({ all }: TextPattern): readonly string[] =>
  all.filter((term) => typeof term === 'string' && term !== '') as string[];

function evaluated(pattern: JsonPattern | ColumnsPattern): Pick<FilterPattern, 'matches' | 'extract'> {
  if (pattern.kind === 'json')
    return {
      matches: (line) => matchesJson(pattern, line),
      extract: (line) => Object.fromEntries(jsonFields(pattern, line)),
    };
  return {
    matches: (line) => matchColumns(pattern, line) !== undefined,
    extract: (line) =>
      Object.fromEntries([...(matchColumns(pattern, line) ?? [])].map(([name, field]) => [`$${name}`, field])),
  };
}
