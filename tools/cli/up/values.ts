/** Values of Compose files in the forms that its specification gives them. Each is undefined for what is none. */

const seconds: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

/** A duration such as `1m30s` in whole seconds, rounded up. */
export function secondsOf(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(us|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count = '', unit = ''] of text.matchAll(/(\d+(?:\.\d+)?)(us|ms|s|m|h)/g))
    sum += Number(count) * (seconds[unit] ?? 0);
  return Math.ceil(Math.round(sum * 1e6) / 1e6);
}

/** An amount of memory such as `512m` or `1gb` in whole MiB, rounded up. A number alone is bytes. */
export function mebibytesOf(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)\s*(b|k|kb|kib|m|mb|mib|g|gb|gib|)$/i.exec(text) ?? [];
  if (count === undefined) return undefined;
  const power = { k: 1, m: 2, g: 3 }[unit.charAt(0).toLowerCase()] ?? 0;
  return Math.ceil((Number(count) * 1024 ** power) / 1024 ** 2);
}

/** CPUs such as `0.5` in units of 1/1024 of a core. */
export function cpuOf(text: string): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) && Number(text) > 0 ? Math.max(1, Math.round(Number(text) * 1024)) : undefined;
}

/** The words of a command line as a shell splits it, without anything else that a shell does. Undefined when a quote has no end. */
export function wordsOf(text: string): readonly string[] | undefined {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (quote === "'" ? character !== "'" : quote === '"' ? !/["\\]/.test(character) : /[^\s"'\\]/.test(character))
      word = (word ?? '') + character;
    else if (character === '\\') {
      i += 1;
      if (i >= text.length) return undefined;
      const next = text.charAt(i);
      word = (word ?? '') + (quote === '"' && !/["\\$`]/.test(next) ? `\\${next}` : next);
    } else if (character === quote) quote = '';
    else if (/["']/.test(character)) {
      quote = character;
      word ??= '';
    } else {
      if (word !== undefined) words.push(word);
      word = undefined;
    }
  }
  if (quote !== '') return undefined;
  return word === undefined ? words : [...words, word];
}

/** A port as `ports` writes it short: `[address:][published:]target[/protocol]`. */
export interface ShortPort {
  readonly address?: string;
  readonly published?: string;
  readonly target: string;
  readonly protocol: string;
}

export function portOf(text: string): ShortPort | undefined {
  const [, address, published, target, protocol = 'tcp'] =
    /^(?:(?:(\[[^\]]+\]|[\d.]+):)?([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text) ?? [];
  if (target === undefined) return undefined;
  return {
    target,
    protocol,
    ...(published === undefined || published === '' ? {} : { published }),
    ...(address === undefined ? {} : { address }),
  };
}

const variable = /\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])([^{}]*))?\}|(.?))/g;

/**
 * Puts variables into a text, as Compose does: `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?error}`,
 * `${NAME:+instead}`; `$$` is a dollar sign.
 * @param refuse says why that cannot be done: a variable that is not set is no empty text here
 */
export function interpolate(
  text: string,
  variables: Readonly<Record<string, string | undefined>>,
  refuse: (why: string) => void,
): string {
  return text.replaceAll(variable, (all, bare?: string, braced?: string, how?: string, what = '') => {
    if (all === '$$') return '$';
    const name = bare ?? braced;
    if (name === undefined) {
      refuse(`has a $ that begins no variable: $$ stands for a dollar sign`);
      return all;
    }
    const value = variables[name];
    const isSet = how?.startsWith(':') === true ? value !== undefined && value !== '' : value !== undefined;
    if (how?.endsWith('+') === true) return isSet ? what : '';
    if (isSet) return value ?? '';
    if (how?.endsWith('-') === true) return what;
    refuse(
      how?.endsWith('?') === true
        ? `the variable ${name} is not set: ${what}`
        : `the variable ${name} is not set: set it, put it into .env, or write \${${name}:-}`,
    );
    return '';
  });
}
