import type { RandomBytes } from '../../state/index.ts';

/** Random characters of an alphabet of at most 256, each as likely as the others. */
export function randomLetters(random: RandomBytes, alphabet: string, count: number): string {
  // Bytes above the last whole multiple would make the first characters likelier.
  const most = 256 - (256 % alphabet.length);
  let letters = '';
  while (letters.length < count) {
    for (const byte of random(count - letters.length)) if (byte < most) letters += alphabet[byte % alphabet.length];
  }
  return letters;
}
