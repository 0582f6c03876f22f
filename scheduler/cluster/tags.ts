import { type TagProblem, TagSet } from '@slipway/auth/kit';

import { invalidParameter } from './errors.ts';

/** Tags of this prefix are read by Slipway itself, which checks their values where they are read: globs and ranges need more characters. */
const ownPrefix = 'slipway:';

const charactersRule = 'has characters that are not allowed: use letters, digits, spaces and _ . : / = + - @.';

const sentences: Readonly<Record<TagProblem['kind'], (key: string) => string>> = {
  'key-length': () => 'Tag keys have 1 to 128 characters.',
  'key-characters': (key) => `Tag key '${key}' ${charactersRule}`,
  reserved: (key) => `Tag keys that start with 'aws:' are reserved: '${key}'.`,
  'value-length': (key) => `The value of tag '${key}' is longer than 256 characters.`,
  'value-characters': (key) => `The value of tag '${key}' ${charactersRule}`,
  duplicate: (key) => `Duplicate tag keys found: '${key}'.`,
  'too-many': () => 'The maximum number of tags is 50.',
};

/** Tags as ECS takes them (ECS API reference, `Tag`); refusals are InvalidParameterException. */
export const ecsTags: TagSet = new TagSet({
  most: 50,
  characters: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u,
  anyValue: (key) => key.startsWith(ownPrefix),
  refuse: ({ kind, key }) => invalidParameter(sentences[kind](key)),
});
