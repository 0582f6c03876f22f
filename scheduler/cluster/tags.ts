import type { Tag } from '@aws-sdk/client-ecs';

import type { Tags } from '../state/index.ts';
import { invalidParameter } from './errors.ts';

/** Tags of this prefix are read by Slipway itself, which checks their values where they are read: globs and ranges need more characters. */
const ownPrefix = 'slipway:';

const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/**
 * Tags of a request as a map, in order. At most 50, keys 1 to 128 and values up to 256 characters, keys unique and
 * without the prefix `aws:`, which belongs to the control plane.
 * @throws InvalidParameterException
 */
export function parseTags(tags: readonly Tag[] | undefined): Tags {
  const parsed: Record<string, string> = {};
  for (const { key, value = '' } of tags ?? []) {
    checkTagKey(key);
    if (value.length > 256) throw invalidParameter(`The value of tag '${key}' is longer than 256 characters.`);
    if (!allowed.test(value) && !key.startsWith(ownPrefix)) {
      throw invalidParameter(
        `The value of tag '${key}' has characters that are not allowed: use letters, digits, spaces and _ . : / = + - @.`,
      );
    }
    if (Object.hasOwn(parsed, key)) throw invalidParameter(`Duplicate tag keys found: '${key}'.`);
    parsed[key] = value;
  }
  checkTagCount(parsed);
  return parsed;
}

/** @throws InvalidParameterException when a tag with this key cannot be set by a caller */
export function checkTagKey(key: string | undefined): asserts key is string {
  if (key === undefined || key === '' || key.length > 128) throw invalidParameter('Tag keys have 1 to 128 characters.');
  if (!allowed.test(key)) {
    throw invalidParameter(
      `Tag key '${key}' has characters that are not allowed: use letters, digits, spaces and _ . : / = + - @.`,
    );
  }
  if (key.toLowerCase().startsWith('aws:')) {
    throw invalidParameter(`Tag keys that start with 'aws:' are reserved: '${key}'.`);
  }
}

/** @throws InvalidParameterException when more than 50 tags of the caller's own remain */
export function checkTagCount(tags: Tags): void {
  if (Object.keys(tags).filter((key) => !key.startsWith('aws:')).length > 50) {
    throw invalidParameter('The maximum number of tags is 50.');
  }
}

/** Tags as the API lists them. */
export const tagList = (tags: Tags): Tag[] => Object.entries(tags).map(([key, value]) => ({ key, value }));
