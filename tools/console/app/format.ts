/** Characters that change how text around them is shown, or are not seen: controls of terminals, and what turns the direction of writing. */
const unseen = /[\p{Cc}\p{Bidi_Control}\u200b-\u200f\u2028\u2029\u2060-\u2064\ufeff]/gu;

/** A text of somebody's with such characters as their numbers: a name or a log line cannot pretend to be another. */
export const visible = (text: string): string =>
  text.replaceAll(unseen, (character) =>
    character === '\t' || character === '\n'
      ? character
      : `\u27e8${(character.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}\u27e9`,
  );

/** The last part of an ARN or a path. */
export const lastOf = (text: string | undefined): string => text?.split('/').at(-1) ?? '';

const units: readonly (readonly [number, string])[] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
];

/** How long, in one unit: `3 min`. @param seconds may be a little negative where clocks differ */
export function duration(seconds: number): string {
  for (const [size, unit] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${Math.max(0, Math.floor(seconds))} s`;
}

export function bytes(count: number): string {
  for (const [size, unit] of [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
    [2 ** 10, 'KiB'],
  ] as const)
    if (count >= size) return `${(count / size).toFixed(count / size < 10 ? 1 : 0)} ${unit}`;
  return `${count} B`;
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en')} ${count === 1 ? one : many}`;

/** Date and time to the second, in the viewer's zone. @param seconds since the epoch */
export const fullTime = (seconds: number): string =>
  new Date(seconds * 1000).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

/** The time of day, with milliseconds: for log lines. @param milliseconds since the epoch */
export const clockTime = (milliseconds: number): string => {
  const time = new Date(milliseconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, '0')}`;
};

/** An image without the registry's address: `web:prod`, `web@sha256:0123456789ab`. */
export const shortImage = (image: string): string =>
  image.replace(/^[^/]+[.:][^/]*\//, '').replace(/(sha256:[0-9a-f]{12})[0-9a-f]+/, '$1');
