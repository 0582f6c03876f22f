import { AwsError, awsJson, type Constraints, defineService, type ServiceDefinition } from '@slipway/auth/contract';
import { bindAll, createSigning, Pages, schemasOf, storedKeys } from '@slipway/auth/kit';

import { aliasOperations } from './aliases.ts';
import { cryptographicOperations } from './cryptography.ts';
import { validation } from './errors.ts';
import { keyOperations } from './key-operations.ts';
import { notServedOperations } from './not-served.ts';
import type { KeysApi, KeysOperations } from './operation.ts';
import { policyOperations } from './policies.ts';
import { keyKeys, keysPartition } from './records.ts';
import { rotationOperations } from './rotation.ts';
import { tagOperations } from './tagging.ts';

/** What the API of KMS is made of. */
export type KmsOptions = Omit<KeysApi, 'pages'>;

/** The API of KMS: a table of operations for each noun. */
export const kmsOperations: KeysOperations = {
  ...keyOperations,
  ...aliasOperations,
  ...cryptographicOperations,
  ...rotationOperations,
  ...policyOperations,
  ...tagOperations,
  ...notServedOperations,
};

/** The schemas of the operations, in the place of an SDK client module. */
export const kmsSchemas: Readonly<Record<string, unknown>> = schemasOf(kmsOperations);

const id = { min: 1, max: 2048 } as const;

/** Lengths, ranges and enumerations (KMS API reference). */
export const kmsConstraints: Constraints = {
  KeyId: id,
  TargetKeyId: id,
  SourceKeyId: id,
  DestinationKeyId: id,
  AliasName: { min: 1, max: 256, pattern: /^[a-zA-Z0-9:/_-]+$/ },
  Description: { max: 8192 },
  Policy: { min: 1, max: 131_072 },
  PolicyName: { min: 1, max: 128 },
  'EncryptRequest.Plaintext': { min: 1, max: 4096 },
  CiphertextBlob: { min: 1, max: 12_288 },
  NumberOfBytes: { min: 1, max: 1024, integer: true },
  KeyUsage: { values: ['SIGN_VERIFY', 'ENCRYPT_DECRYPT', 'GENERATE_VERIFY_MAC', 'KEY_AGREEMENT'] },
  Origin: { values: ['AWS_KMS', 'EXTERNAL', 'AWS_CLOUDHSM', 'EXTERNAL_KEY_STORE'] },
  'GenerateDataKeyRequest.KeySpec': { values: ['AES_256', 'AES_128'] },
  'GenerateDataKeyWithoutPlaintextRequest.KeySpec': { values: ['AES_256', 'AES_128'] },
  IncludeKeyMaterial: { values: ['ALL_KEY_MATERIAL', 'ROTATIONS_ONLY'] },
  PendingWindowInDays: { min: 1, max: 365, integer: true },
  RotationPeriodInDays: { min: 90, max: 2560, integer: true },
  Limit: { min: 1, max: 1000, integer: true },
  Marker: { min: 1, max: 1024 },
  GrantTokens: { max: 10 },
};

export const kmsProtocol = awsJson('1.1', 'TrentService');

/** The API of KMS (2014-11-01) as the gateway serves it. */
export function createKms(options: KmsOptions): ServiceDefinition {
  const { records, random } = options.keys.ports;
  const place = { partition: keysPartition, key: keyKeys.signingKey };
  const pages = new Pages(createSigning(storedKeys(records, random, place)), {
    usual: 100,
    most: 1000,
    badSize: (_asked, most) => validation(`Limit must be between 1 and ${most}.`),
    badToken: () => new AwsError('InvalidMarkerException', 'The Marker is not one of this list.'),
  });
  return {
    ...defineService({
      name: 'kms',
      protocol: kmsProtocol,
      client: kmsSchemas,
      constraints: kmsConstraints,
      operations: {},
    }),
    operations: bindAll(kmsOperations, { ...options, pages }),
  };
}
