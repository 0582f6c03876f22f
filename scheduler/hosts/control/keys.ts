import type { OwnedRows } from '@slipway/storage/records';

import { clusters } from '../../state/index.ts';

/** In a cluster's partition. */
export const connectionKeys = {
  /** A server that holds agents' connections of this cluster; renewed while it lives. */
  server: (serverId: string): string => `connections/${serverId}`,
  servers: 'connections/',
} as const;

export const connectionRows: OwnedRows = {
  partition: clusters,
  owner: 'scheduler/hosts',
  keys: [connectionKeys.servers],
};
