import { serializationProblem } from './problems.ts';

/**
 * Reads `application/x-www-form-urlencoded` text. What it holds is counted first: reading costs the square of the number.
 * @param most parameters
 * @throws InputError when there are more
 */
export function readForm(text: string, most: number): URLSearchParams {
  let count = 1;
  for (let at = text.indexOf('&'); at !== -1; at = text.indexOf('&', at + 1)) {
    if (++count > most) throw serializationProblem('', `more than ${most} parameters`);
  }
  return new URLSearchParams(text);
}
