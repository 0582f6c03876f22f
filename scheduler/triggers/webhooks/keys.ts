import type { OwnedRows } from '@slipway/storage/records';

import { installations } from '../../state/index.ts';

/** In the installation's partition. */
export const webhookKeys = {
  all: 'webhooks/',
  webhook: (id: string): string => `webhooks/${id}`,
} as const;

export const webhookRows: OwnedRows = {
  partition: installations,
  owner: 'scheduler/triggers',
  keys: [webhookKeys.all],
};
