import { PatternError } from './errors.ts';

/** A filter pattern, and how far it is read. */
export class Scanner {
  readonly text: string;
  at = 0;
  /** Regular expressions so far. */
  regexes = 0;

  constructor(text: string) {
    this.text = text;
  }

  get isOver(): boolean {
    return this.at >= this.text.length;
  }

  /** The next character; empty at the end. */
  get next(): string {
    return this.text.charAt(this.at);
  }

  skipSpace(): void {
    while (!this.isOver && isSpace(this.next)) this.at++;
  }

  /** Reads `word` when it comes next. */
  take(word: string): boolean {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  /** Reads the longest text of such characters, which may be empty. */
  takeWhile(isPart: (character: string) => boolean): string {
    const from = this.at;
    while (!this.isOver && isPart(this.next)) this.at++;
    return this.text.slice(from, this.at);
  }

  /** Reads what is in quotation marks; the first has been read. `\"` is a quotation mark in it, `\\` a backslash. */
  quoted(from = this.at - 1): string {
    let text = '';
    while (!this.isOver) {
      const character = this.next;
      this.at++;
      if (character === '"') return text;
      if (character === '\\' && (this.next === '"' || this.next === '\\')) {
        text += this.next;
        this.at++;
      } else text += character;
    }
    return this.fail('the quotation mark is never closed. Add a " at the end of the phrase.', from);
  }

  /** @throws PatternError at the character that comes next, or another one */
  fail(sentence: string, at: number = this.at): never {
    throw new PatternError(at + 1, sentence);
  }

  /** How messages name what comes next. */
  get shown(): string {
    return this.isOver
      ? 'the end of the pattern'
      : `'${String.fromCodePoint(this.text.codePointAt(this.at) as number)}'`;
  }
}

export const isSpace = (character: string): boolean => /\s/.test(character);
