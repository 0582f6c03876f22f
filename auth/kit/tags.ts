import type { ConditionContext } from '../contract/index.ts';

/** Tags of a resource, by key. */
export type Tags = Readonly<Record<string, string>>;

/** A tag as services write it: ECS with small letters, most others with capitals. */
export interface WireTag {
  readonly key?: string | undefined;
  readonly value?: string | undefined;
  readonly Key?: string | undefined;
  readonly Value?: string | undefined;
}

/** What is wrong with tags; `key` is the one it is about. */
export interface TagProblem {
  readonly kind:
    | 'key-length'
    | 'key-characters'
    | 'reserved'
    | 'value-length'
    | 'value-characters'
    | 'duplicate'
    | 'too-many';
  readonly key: string;
}

/** What is a service's own about its tags. Everywhere a key has 1 to 128 characters, a value up to 256, and `aws:` is reserved. */
export interface TagRules {
  /** How many tags a caller may put on one resource. */
  readonly most: number;
  /** Whether two keys that differ in case alone are one key (IAM). */
  readonly foldCase?: boolean;
  /** The characters of keys and values. Default: any. */
  readonly characters?: RegExp;
  /** Keys whose values may have any character. */
  readonly anyValue?: (key: string) => boolean;
  /** The refusal, in the service's words. */
  readonly refuse: (problem: TagProblem) => Error;
}

/** What is wrong with tags, for services that have no words of their own for it. */
export const tagSentences: Readonly<Record<TagProblem['kind'], (key: string) => string>> = {
  'key-length': () => 'Tag keys have 1 to 128 characters.',
  'key-characters': (key) => `Tag key '${key}' has characters that are not allowed.`,
  reserved: (key) => `Tag keys starting with 'aws:' are reserved for internal use: '${key}'`,
  'value-length': (key) => `The value of tag '${key}' is longer than 256 characters.`,
  'value-characters': (key) => `The value of tag '${key}' has characters that are not allowed.`,
  duplicate: (key) => `The tag key '${key}' was specified more than once.`,
  'too-many': () => 'A resource has at most 50 tags.',
};

const mostKeyLength = 128;
const mostValueLength = 256;

/** Reads and changes the tags of one service's resources. */
export class TagSet {
  readonly #rules: TagRules;

  constructor(rules: TagRules) {
    this.#rules = rules;
  }

  /** Tags of a request by key, in order. @throws the service's refusal */
  parse(given: readonly WireTag[] | undefined): Tags {
    const tags = new Map<string, readonly [string, string]>();
    for (const tag of given ?? []) {
      const key = tag.key ?? tag.Key;
      this.checkKey(key);
      const value = tag.value ?? tag.Value ?? '';
      this.#checkValue(key, value);
      if (tags.has(this.#fold(key))) throw this.#rules.refuse({ kind: 'duplicate', key });
      tags.set(this.#fold(key), [key, value]);
    }
    return this.#counted(Object.fromEntries(tags.values()));
  }

  /** @throws the service's refusal when no caller may set or remove a tag of this key */
  checkKey(key: string | undefined): asserts key is string {
    const { characters, refuse } = this.#rules;
    if (key === undefined || key === '' || key.length > mostKeyLength)
      throw refuse({ kind: 'key-length', key: key ?? '' });
    if (characters?.test(key) === false) throw refuse({ kind: 'key-characters', key });
    if (/^aws:/i.test(key)) throw refuse({ kind: 'reserved', key });
  }

  /** Adds tags; one that is there gets the new value. @throws the service's refusal when they are too many */
  merge(before: Tags, added: Tags): Tags {
    const kept = this.#rules.foldCase === true ? this.without(before, Object.keys(added)) : before;
    return this.#counted({ ...kept, ...added });
  }

  without(before: Tags, removed: readonly string[]): Tags {
    const gone = new Set(removed.map((key) => this.#fold(key)));
    return Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(this.#fold(key))));
  }

  #checkValue(key: string, value: string): void {
    const { characters, anyValue, refuse } = this.#rules;
    if (value.length > mostValueLength) throw refuse({ kind: 'value-length', key });
    if (characters?.test(value) === false && anyValue?.(key) !== true) throw refuse({ kind: 'value-characters', key });
  }

  /** What AWS's services put there themselves (`aws:…`) does not count. */
  #counted(tags: Tags): Tags {
    const own = Object.keys(tags).filter((key) => !key.startsWith('aws:'));
    if (own.length > this.#rules.most) throw this.#rules.refuse({ kind: 'too-many', key: own.at(-1) ?? '' });
    return tags;
  }

  #fold(key: string): string {
    return this.#rules.foldCase === true ? key.toLowerCase() : key;
  }
}

/** Tags as IAM, ECR and most services list them. */
export const tagList = (tags: Tags): { Key: string; Value: string }[] =>
  Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));

/** Tags as ECS lists them. */
export const smallTagList = (tags: Tags): { key: string; value: string }[] =>
  Object.entries(tags).map(([key, value]) => ({ key, value }));

/** Tags as a request writes them, unchecked: whether the caller may comes before whether they are well formed. */
export const tagsAsSent = (given: readonly WireTag[] | undefined): Tags =>
  Object.fromEntries((given ?? []).map((tag) => [tag.key ?? tag.Key ?? '', tag.value ?? tag.Value ?? '']));

/** Condition keys of the tags that a request sets: `aws:RequestTag/<key>` and `aws:TagKeys`. */
export function requestTags(tags: Tags): ConditionContext {
  const keys = Object.keys(tags);
  if (keys.length === 0) return {};
  return {
    'aws:TagKeys': keys,
    ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  };
}

/** The condition key of the tags that a request removes. */
export const requestTagKeys = (keys: readonly string[] | undefined): ConditionContext =>
  keys === undefined || keys.length === 0 ? {} : { 'aws:TagKeys': keys };
