import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { type KeysOperations, mayList } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const asymmetric = 'Keys are symmetric and encrypt: sign and agree on keys with a library in the task.';
const macs = 'There are no HMAC keys: keep such a key as a secret of Secrets Manager.';
const imported = 'Materials are made here and are not imported.';
const stores = 'There are no custom key stores: materials are sealed with the key of the installation.';
const regions = 'This installation is one region: keys have no replicas.';
const grants = 'There are no grants: allow it in the policy of the key, or in that of the role.';

/** Operations of the API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  Sign: asymmetric,
  Verify: asymmetric,
  GetPublicKey: asymmetric,
  DeriveSharedSecret: asymmetric,
  GenerateDataKeyPair: asymmetric,
  GenerateDataKeyPairWithoutPlaintext: asymmetric,
  GenerateMac: macs,
  VerifyMac: macs,
  GetParametersForImport: imported,
  ImportKeyMaterial: imported,
  DeleteImportedKeyMaterial: imported,
  CreateCustomKeyStore: stores,
  ConnectCustomKeyStore: stores,
  DisconnectCustomKeyStore: stores,
  DescribeCustomKeyStores: stores,
  UpdateCustomKeyStore: stores,
  DeleteCustomKeyStore: stores,
  ReplicateKey: regions,
  UpdatePrimaryRegion: regions,
  CreateGrant: grants,
  ListGrants: grants,
  ListRetirableGrants: grants,
  RetireGrant: grants,
  RevokeGrant: grants,
  GetKeyLastUsage: 'Uses of keys are in the audit log and are not kept beside the key.',
};

export const notServedOperations: KeysOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Request`, {}),
  nothing,
  mayList,
  unsupported,
});
