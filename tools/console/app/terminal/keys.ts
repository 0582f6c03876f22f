/** What a key press is to a terminal. */
export interface Key {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly altKey: boolean;
  readonly shiftKey: boolean;
  readonly metaKey: boolean;
}

const escape = '\u001b';

/** Keys whose sequence has a letter: with a modifier, or as the application asked for it (xterm, "PC-Style Function Keys"). */
const letters: Readonly<Record<string, string>> = {
  __proto__: null as never,
  ArrowUp: 'A',
  ArrowDown: 'B',
  ArrowRight: 'C',
  ArrowLeft: 'D',
  Home: 'H',
  End: 'F',
};
const numbers: Readonly<Record<string, number>> = {
  __proto__: null as never,
  Insert: 2,
  Delete: 3,
  PageUp: 5,
  PageDown: 6,
  F5: 15,
  F6: 17,
  F7: 18,
  F8: 19,
  F9: 20,
  F10: 21,
  F11: 23,
  F12: 24,
};
const functionLetters: Readonly<Record<string, string>> = {
  __proto__: null as never,
  F1: 'P',
  F2: 'Q',
  F3: 'R',
  F4: 'S',
};
const plain: Readonly<Record<string, string>> = {
  __proto__: null as never,
  Enter: '\r',
  Backspace: '\u007f',
  Escape: escape,
};

/**
 * What a terminal sends for a key; undefined for keys that are the browser's, and for characters, which come as input.
 * @param application whether the program asked for the other form of the arrow keys (DECCKM)
 */
export function sequenceOf(event: Key, application: boolean): string | undefined {
  const { key, ctrlKey, altKey, shiftKey, metaKey } = event;
  if (metaKey) return undefined;
  const modifier = 1 + (shiftKey ? 1 : 0) + (altKey ? 2 : 0) + (ctrlKey ? 4 : 0);
  const letter = letters[key];
  if (letter !== undefined)
    return modifier === 1 ? `${escape}${application ? 'O' : '['}${letter}` : `${escape}[1;${modifier}${letter}`;
  const number = numbers[key];
  if (number !== undefined) return `${escape}[${number}${modifier === 1 ? '' : `;${modifier}`}~`;
  const named = functionLetters[key];
  if (named !== undefined) return modifier === 1 ? `${escape}O${named}` : `${escape}[1;${modifier}${named}`;
  if (key === 'Tab') return shiftKey ? `${escape}[Z` : '\t';
  const sequence = plain[key];
  if (sequence !== undefined) return altKey ? `${escape}${sequence}` : sequence;
  if (ctrlKey && !altKey) return controlOf(key, shiftKey);
  return altKey && !ctrlKey && /^.$/u.test(key) ? `${escape}${key}` : undefined;
}

/** Ctrl and a letter is the control character of that name. With Shift, it is the browser's: to copy and to paste. */
function controlOf(key: string, shiftKey: boolean): string | undefined {
  if (/^[a-z]$/i.test(key)) return shiftKey ? undefined : String.fromCodePoint(key.toLowerCase().charCodeAt(0) - 96);
  const others: Readonly<Record<string, number>> = {
    __proto__: null as never,
    '@': 0,
    ' ': 0,
    '[': 27,
    '\\': 28,
    '^': 30,
    _: 31,
    '/': 31,
  };
  const code = others[key];
  return code === undefined ? undefined : String.fromCodePoint(code);
}

/** What is pasted: line breaks are Enter, and a program that asked for it is told where it begins and ends. */
export function pasted(text: string, bracketed: boolean): string {
  // What ends the brackets within them would let a text type.
  const lines = text.replaceAll(/\r?\n/g, '\r').replaceAll(escape, '');
  return bracketed ? `${escape}[200~${lines}${escape}[201~` : lines;
}
