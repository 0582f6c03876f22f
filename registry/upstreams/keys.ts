import type { OwnedRows } from '@slipway/storage/records';
import { registries } from '../images/index.ts';

/** In the registry's partition. */
export const upstreamKeys = {
  rules: 'cache-rule|',
  rule: (prefix: string): string => `cache-rule|${prefix}`,
  /** When a tag was last compared with upstream. */
  checked: (repository: string, tag: string): string => `upstream-tag|${repository}|${tag}`,
} as const;

export const upstreamRows: OwnedRows = {
  partition: registries,
  owner: 'registry/upstreams',
  keys: [upstreamKeys.rules, 'upstream-tag|'],
};
