import type { RandomBytes } from '../../state/index.ts';

import { invalidParameter } from './errors.ts';
import { randomLetters } from './letters.ts';
import { mayList, operation, type SecretsOperations } from './operation.ts';
import { flag, number, secret, struct, text } from './shapes.ts';

const kinds = {
  lower: 'abcdefghijklmnopqrstuvwxyz',
  upper: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
  digits: '0123456789',
  punctuation: '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~',
} as const;

export interface PasswordRules {
  readonly length: number;
  readonly without: readonly (keyof typeof kinds)[];
  readonly exclude: string;
  readonly space: boolean;
  /** Whether each kind of character must be in it. */
  readonly each: boolean;
}

/** A random password (API reference, GetRandomPassword). @throws InvalidParameterException for rules that no password fits */
export function randomPassword(random: RandomBytes, { length, without, exclude, space, each }: PasswordRules): string {
  const allowed = (text: string): string =>
    Array.from(text)
      .filter((letter) => !exclude.includes(letter))
      .join('');
  const included = (Object.keys(kinds) as (keyof typeof kinds)[])
    .filter((kind) => !without.includes(kind))
    .map((kind) => allowed(kinds[kind]))
    .filter((letters) => letters !== '');
  const all = included.join('') + (space ? allowed(' ') : '');
  if (all === '') throw invalidParameter('The password has no characters left to be made of.');
  if (each && length < included.length)
    throw invalidParameter('The password length is too short based on the required types.');
  for (;;) {
    // Drawn anew until it fits: so none that fits is likelier than another.
    const password = randomLetters(random, all, length);
    if (!each || included.every((letters) => Array.from(password).some((letter) => letters.includes(letter))))
      return password;
  }
}

/** Passwords to put into secrets. */
export const passwordOperations: SecretsOperations = {
  GetRandomPassword: operation({
    input: struct('GetRandomPasswordRequest', {
      PasswordLength: number,
      ExcludeCharacters: text,
      ExcludeNumbers: flag,
      ExcludePunctuation: flag,
      ExcludeUppercase: flag,
      ExcludeLowercase: flag,
      IncludeSpace: flag,
      RequireEachIncludedType: flag,
    }),
    output: struct('GetRandomPasswordResponse', { RandomPassword: secret(text) }),
    access: mayList('GetRandomPassword'),
    handle: (input, { api }) => ({
      RandomPassword: randomPassword(api.random, {
        length: input.PasswordLength ?? 32,
        without: [
          ...(input.ExcludeNumbers === true ? (['digits'] as const) : []),
          ...(input.ExcludePunctuation === true ? (['punctuation'] as const) : []),
          ...(input.ExcludeUppercase === true ? (['upper'] as const) : []),
          ...(input.ExcludeLowercase === true ? (['lower'] as const) : []),
        ],
        exclude: input.ExcludeCharacters ?? '',
        space: input.IncludeSpace === true,
        each: input.RequireEachIncludedType !== false,
      }),
    }),
  }),
};
