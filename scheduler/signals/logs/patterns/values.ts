import { readRegex, type Regex } from './regex.ts';
import { isSpace, type Scanner } from './scanner.ts';

/** What is compared with a value of a line. */
export type Operand =
  | { readonly kind: 'number'; readonly value: number }
  /** A text in pieces: between them may be anything. */
  | { readonly kind: 'text'; readonly pieces: readonly [string, ...string[]] }
  | { readonly kind: 'regex'; readonly regex: Regex };

export type Operator = '=' | '!=' | '<' | '>' | '<=' | '>=';
const operators: readonly Operator[] = ['!=', '<=', '>=', '=', '<', '>'];

/** A comparison, of a field of JSON or of a column. */
export interface Comparison {
  readonly operator: Operator;
  readonly operand: Operand;
}

const isWord = (character: string): boolean => !isSpace(character) && !'(){}[]"&|=<>!%,'.includes(character);
const number = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** `= 404`, `!= "a*"`, `= %4\d\d%`: an operator and what stands after it. @throws PatternError */
export function readComparison(scanner: Scanner): Comparison {
  const operator = operators.find((one) => scanner.take(one));
  if (operator === undefined) return scanner.fail(`${scanner.shown} is no comparison. Use one of = != < > <= >=.`);
  scanner.skipSpace();
  const start = scanner.at;
  const operand = readOperand(scanner);
  if (operator !== '=' && operator !== '!=' && operand.kind !== 'number')
    return scanner.fail(`${operator} compares numbers. Write a number after it, without quotation marks.`, start);
  return { operator, operand };
}

function readOperand(scanner: Scanner): Operand {
  if (scanner.take('"')) return textOperand(scanner.quoted());
  if (scanner.take('%')) return { kind: 'regex', regex: readRegex(scanner) };
  const word = scanner.takeWhile(isWord);
  if (word === '')
    return scanner.fail(`${scanner.shown} is no value. Write a number, a word, a "phrase", or a %regular expression%.`);
  return number.test(word) ? { kind: 'number', value: Number(word) } : textOperand(word);
}

const textOperand = (text: string): Operand => ({ kind: 'text', pieces: text.split('*') as [string, ...string[]] });

/** Whether a comparison holds. Numbers compare with whatever reads as a number, everything else as text. */
export function holds({ operator, operand }: Comparison, given: string | number): boolean {
  if (operand.kind !== 'number') return equals(operand, String(given)) === (operator === '=');
  const value = typeof given === 'number' ? given : number.test(given) ? Number(given) : Number.NaN;
  switch (operator) {
    case '=':
      return value === operand.value;
    case '!=':
      return value !== operand.value;
    case '<':
      return value < operand.value;
    case '>':
      return value > operand.value;
    case '<=':
      return value <= operand.value;
    case '>=':
      return value >= operand.value;
  }
}

function equals(operand: Exclude<Operand, { readonly kind: 'number' }>, given: string): boolean {
  return operand.kind === 'regex' ? operand.regex.test(given) : isLike(operand.pieces, given);
}

/** Whether a text is the pieces in order, with anything between them; each is looked for once, from where the last one ended. */
function isLike(pieces: readonly [string, ...string[]], text: string): boolean {
  const [first, ...others] = pieces;
  if (others.length === 0) return text === first;
  if (!text.startsWith(first)) return false;
  const last = others.at(-1) as string;
  let at = first.length;
  for (const piece of others.slice(0, -1)) {
    const found = text.indexOf(piece, at);
    if (found === -1) return false;
    at = found + piece.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
