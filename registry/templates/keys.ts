import type { OwnedRows } from '@slipway/storage/records';
import { registries } from '../images/index.ts';

/** In the registry's partition. */
export const templateKeys = {
  all: 'template|',
  template: (prefix: string): string => `template|${prefix}`,
} as const;

export const templateRows: OwnedRows = {
  partition: registries,
  owner: 'registry/templates',
  keys: [templateKeys.all],
};
