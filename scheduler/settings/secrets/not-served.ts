import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { mayList, type SecretsOperations } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const replication = 'This installation is one region: nothing is replicated.';

/** Operations of the API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  ReplicateSecretToRegions: replication,
  RemoveRegionsFromReplication: replication,
  StopReplicationToReplica: replication,
};

export const notServedOperations: SecretsOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Request`, {}),
  nothing,
  mayList,
  unsupported,
});
