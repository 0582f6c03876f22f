import { isSpace, type Scanner } from './scanner.ts';
import { type Comparison, holds, readComparison } from './values.ts';

/** One column: its name, and what its field must be: all comparisons of one of the alternatives. */
interface Column {
  readonly name: string;
  readonly alternatives: readonly (readonly Comparison[])[];
}

/** `[ip, ..., status = 4*, bytes]`: columns from the beginning of a line, and from its end where `...` leaves some out. */
export interface ColumnsPattern {
  readonly kind: 'columns';
  readonly before: readonly Column[];
  /** Undefined without `...`: a line then has as many fields as there are columns. */
  readonly after: readonly Column[] | undefined;
}

const isName = (character: string): boolean => /[A-Za-z0-9_-]/.test(character);

/** Reads columns; the bracket has been read. @throws PatternError */
export function readColumns(scanner: Scanner): ColumnsPattern {
  const before: Column[] = [];
  let after: Column[] | undefined;
  const names = new Set<string>();
  do {
    scanner.skipSpace();
    const start = scanner.at;
    if (scanner.take('...')) {
      if (after !== undefined) scanner.fail('... stands for any number of columns, and may stand once.', start);
      after = [];
    } else {
      const column = readColumn(scanner);
      if (names.has(column.name))
        scanner.fail(`the column ${column.name} is there already. Give columns different names.`, start);
      names.add(column.name);
      (after ?? before).push(column);
    }
    scanner.skipSpace();
  } while (scanner.take(','));
  if (!scanner.take(']'))
    scanner.fail(`${scanner.shown} stands where the next column or the end is expected. Write , or ].`);
  return { kind: 'columns', before, after };
}

function readColumn(scanner: Scanner): Column {
  const name = scanner.takeWhile(isName);
  if (name === '')
    scanner.fail(`${scanner.shown} is no name of a column. Use letters, digits, _ and -, or ... for any columns.`);
  scanner.skipSpace();
  if (scanner.next === ',' || scanner.next === ']' || scanner.isOver) return { name, alternatives: [[]] };
  const alternatives: [Comparison, ...Comparison[]][] = [[readComparison(scanner)]];
  for (;;) {
    scanner.skipSpace();
    const isOther = scanner.take('||');
    if (!isOther && !scanner.take('&&')) return { name, alternatives };
    scanner.skipSpace();
    const start = scanner.at;
    if (scanner.takeWhile(isName) !== name)
      scanner.fail(`the comparisons of a column are all about it. Write ${name} again here.`, start);
    scanner.skipSpace();
    const comparison = readComparison(scanner);
    if (isOther) alternatives.push([comparison]);
    else (alternatives.at(-1) as Comparison[]).push(comparison);
  }
}

/** The fields of the named columns; undefined when a line does not match. */
export function matchColumns({ before, after }: ColumnsPattern, line: string): ReadonlyMap<string, string> | undefined {
  const fields = fieldsOf(line);
  const named = before.length + (after?.length ?? 0);
  if (after === undefined ? fields.length !== named : fields.length < named) return undefined;
  const columns = [...before, ...(after ?? [])];
  const values = new Map<string, string>();
  for (const [index, { name, alternatives }] of columns.entries()) {
    const field = fields[index < before.length ? index : fields.length - columns.length + index] as string;
    if (!alternatives.some((all) => all.every((comparison) => holds(comparison, field)))) return undefined;
    values.set(name, field);
  }
  return values;
}

/** The fields of a line: what is between spaces; `[…]` and `"…"` are one field, without the brackets and the quotation marks. */
export function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  // A bracket that is not closed is a character as any other; it is looked for once, so that the work stays in proportion.
  const last: Readonly<Record<string, number>> = { ']': line.lastIndexOf(']'), '"': line.lastIndexOf('"') };
  for (let at = 0; at < line.length;) {
    const character = line.charAt(at);
    if (isSpace(character)) {
      at++;
      continue;
    }
    const closing = character === '[' ? ']' : character === '"' ? '"' : undefined;
    if (closing !== undefined && (last[closing] as number) > at) {
      const end = line.indexOf(closing, at + 1);
      fields.push(line.slice(at + 1, end));
      at = end + 1;
      continue;
    }
    const from = at;
    while (at < line.length && !isSpace(line.charAt(at))) at++;
    fields.push(line.slice(from, at));
  }
  return fields;
}
