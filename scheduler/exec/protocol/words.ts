/**
 * The words of a command, as the agent of Session Manager splits them where there is no shell (its `shlex`): blanks part words, quotes
 * keep them together, a backslash takes the next character as it is; nothing is expanded.
 * @returns undefined for a quote that does not end, or a backslash at the end
 */
export function splitCommand(text: string): string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (let index = 0; index < text.length; index++) {
    const letter = text[index] as string;
    if (letter === '\\' && quote !== "'") {
      const next = text[++index];
      if (next === undefined) return undefined;
      // Within double quotes only what would mean something is escaped.
      word = (word ?? '') + (quote === '"' && !'"\\$`'.includes(next) ? `\\${next}` : next);
    } else if (quote !== undefined) {
      if (letter === quote) quote = undefined;
      else word += letter;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= '';
    } else if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + letter;
  }
  if (quote !== undefined) return undefined;
  if (word !== undefined) words.push(word);
  return words;
}

/** A command that {@link splitCommand} makes the same words of. */
export const joinCommand = (words: readonly string[]): string =>
  words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
