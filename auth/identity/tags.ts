import type { Tag } from '@aws-sdk/client-iam';
import type { Tags } from './entities.ts';
import { invalidInput, limitExceeded } from './errors.ts';
import { quotas } from './limits.ts';

/** Reads tags from a request. Two keys that differ in case only are one key. @throws AwsError */
export function readTags(given: readonly Tag[] | undefined): Tags {
  const tags = new Map<string, [string, string]>();
  for (const { Key = '', Value = '' } of given ?? []) {
    if (/^aws:/i.test(Key)) throw invalidInput('Tag keys that start with "aws:" are reserved');
    if (tags.has(Key.toLowerCase()))
      throw invalidInput('Duplicate tag keys found. Please note that Tag keys are case insensitive.');
    tags.set(Key.toLowerCase(), [Key, Value]);
  }
  if (tags.size > quotas.tags) throw limitExceeded(`Cannot exceed quota for TagsPerResource: ${quotas.tags}`);
  return Object.fromEntries(tags.values());
}

/** Adds tags; a key that is there in another case keeps its place and gets the new value. @throws AwsError `LimitExceededException` */
export function mergeTags(before: Tags, added: Tags): Tags {
  const merged = withoutTags(before, Object.keys(added));
  const result = { ...merged, ...added };
  if (Object.keys(result).length > quotas.tags)
    throw limitExceeded(`Cannot exceed quota for TagsPerResource: ${quotas.tags}`);
  return result;
}

export function withoutTags(before: Tags, removed: readonly string[]): Tags {
  const gone = new Set(removed.map((key) => key.toLowerCase()));
  return Object.fromEntries(Object.entries(before).filter(([key]) => !gone.has(key.toLowerCase())));
}

export function showTags(tags: Tags): Tag[] {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
}

/** Condition keys about the tags that a request brings or names. */
export function tagContext(tags: Tags | readonly string[]): Record<string, string | readonly string[]> {
  if (Array.isArray(tags)) return tags.length === 0 ? {} : { 'aws:TagKeys': tags as readonly string[] };
  const entries = Object.entries(tags as Tags);
  if (entries.length === 0) return {};
  return {
    'aws:TagKeys': entries.map(([key]) => key),
    ...Object.fromEntries(entries.map(([key, value]) => [`aws:RequestTag/${key}`, value])),
  };
}
