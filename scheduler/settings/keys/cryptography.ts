import { type AccessRequest, AwsError } from '@slipway/auth/contract';

import type { EncryptionContext } from './ciphertext.ts';
import { validation } from './errors.ts';
import {
  accessTo,
  contextKeys,
  find,
  type KeysOperations,
  mayList,
  mayOn,
  operation,
  type Scene,
} from './operation.ts';
import {
  algorithm,
  blob,
  byKey,
  context,
  dryRun,
  grantTokens,
  list,
  number,
  plaintext,
  recipient,
  refused,
  required,
  struct,
  text,
} from './shapes.ts';
import type { FoundKey } from './store.ts';

const symmetric = 'SYMMETRIC_DEFAULT';
const mostContext = 8192;
/** A plaintext in base64, a context, and what is around them. */
const bodyBytes = 32 * 1024;

const dataKeyInput = {
  ...byKey,
  EncryptionContext: context,
  NumberOfBytes: number,
  KeySpec: text,
  ...grantTokens,
  ...dryRun,
} as const;
const modifiers = {
  DryRunModifiers: refused(list(text), 'A dry run looks at everything: leave it out.'),
} as const;

/** What keys are for. */
export const cryptographicOperations: KeysOperations = {
  Encrypt: operation({
    input: struct('EncryptRequest', {
      ...byKey,
      Plaintext: required(plaintext),
      EncryptionContext: context,
      ...grantTokens,
      EncryptionAlgorithm: algorithm,
      ...dryRun,
    }),
    output: struct('EncryptResponse', { CiphertextBlob: blob, KeyId: text, EncryptionAlgorithm: text }),
    bodyBytes,
    access: mayOn('Encrypt', ({ EncryptionContext }) => contextKeys(EncryptionContext), 'others too'),
    handle: async ({ KeyId, Plaintext, EncryptionContext: given = {}, EncryptionAlgorithm, DryRun }, scene) => {
      checkAlgorithm(EncryptionAlgorithm);
      checkContext(given);
      const found = await find(scene, KeyId);
      const CiphertextBlob = await scene.api.keys.encrypt(found, given, Plaintext);
      endDryRun(DryRun);
      return { CiphertextBlob, KeyId: arnOfKey(scene, found), EncryptionAlgorithm: symmetric };
    },
  }),
  Decrypt: operation({
    input: struct('DecryptRequest', {
      CiphertextBlob: blob,
      EncryptionContext: context,
      ...grantTokens,
      KeyId: text,
      EncryptionAlgorithm: algorithm,
      ...recipient,
      ...dryRun,
      ...modifiers,
    }),
    output: struct('DecryptResponse', {
      KeyId: text,
      Plaintext: plaintext,
      EncryptionAlgorithm: text,
      KeyMaterialId: text,
    }),
    bodyBytes,
    access: async ({ CiphertextBlob, EncryptionContext }, scene) => [
      await ofCiphertext(scene, 'Decrypt', CiphertextBlob, EncryptionContext),
    ],
    handle: async ({ CiphertextBlob, EncryptionContext: given = {}, KeyId, EncryptionAlgorithm, DryRun }, scene) => {
      checkAlgorithm(EncryptionAlgorithm);
      checkContext(given);
      await checkKey(scene, CiphertextBlob, KeyId);
      const { found, plain, material } = await scene.api.keys.decrypt(given, ciphertextOf(CiphertextBlob));
      endDryRun(DryRun);
      const { id: KeyMaterialId } = material;
      return { KeyId: arnOfKey(scene, found), Plaintext: plain, EncryptionAlgorithm: symmetric, KeyMaterialId };
    },
  }),
  ReEncrypt: operation({
    input: struct('ReEncryptRequest', {
      CiphertextBlob: blob,
      SourceEncryptionContext: context,
      SourceKeyId: text,
      DestinationKeyId: required(text),
      DestinationEncryptionContext: context,
      SourceEncryptionAlgorithm: algorithm,
      DestinationEncryptionAlgorithm: algorithm,
      ...grantTokens,
      ...dryRun,
      ...modifiers,
    }),
    output: struct('ReEncryptResponse', {
      CiphertextBlob: blob,
      SourceKeyId: text,
      KeyId: text,
      SourceEncryptionAlgorithm: text,
      DestinationEncryptionAlgorithm: text,
      SourceKeyMaterialId: text,
      DestinationKeyMaterialId: text,
    }),
    bodyBytes,
    access: async (input, scene) => {
      const { keys } = scene.api;
      const [source, target] = await Promise.all([
        keys.keyOf(input.CiphertextBlob ?? new Uint8Array()),
        keys.find(scene.account, input.DestinationKeyId),
      ]);
      const same = { 'kms:ReEncryptOnSameKey': String(source !== undefined && source.key.id === target?.key.id) };
      const { SourceEncryptionContext: from, DestinationEncryptionContext: to } = input;
      const reading = await ofCiphertext(scene, 'ReEncryptFrom', input.CiphertextBlob, from);
      return [
        { ...reading, context: { ...reading.context, ...same } },
        await accessTo(scene, 'ReEncryptTo', input.DestinationKeyId, { ...contextKeys(to), ...same }, 'others too'),
      ];
    },
    handle: async (input, scene) => {
      const { keys } = scene.api;
      const { SourceEncryptionContext: from = {}, DestinationEncryptionContext: to = {} } = input;
      checkAlgorithm(input.SourceEncryptionAlgorithm);
      checkAlgorithm(input.DestinationEncryptionAlgorithm);
      checkContext(from);
      checkContext(to);
      await checkKey(scene, input.CiphertextBlob, input.SourceKeyId);
      const { found, plain, material } = await keys.decrypt(from, ciphertextOf(input.CiphertextBlob));
      const target = await find(scene, input.DestinationKeyId);
      const CiphertextBlob = await keys.encrypt(target, to, plain);
      endDryRun(input.DryRun);
      return {
        CiphertextBlob,
        SourceKeyId: arnOfKey(scene, found),
        KeyId: arnOfKey(scene, target),
        SourceEncryptionAlgorithm: symmetric,
        DestinationEncryptionAlgorithm: symmetric,
        SourceKeyMaterialId: material.id,
        DestinationKeyMaterialId: target.key.materials.at(-1)?.id,
      };
    },
  }),
  GenerateDataKey: operation({
    input: struct('GenerateDataKeyRequest', { ...dataKeyInput, ...recipient }),
    output: struct('GenerateDataKeyResponse', {
      CiphertextBlob: blob,
      Plaintext: plaintext,
      KeyId: text,
      KeyMaterialId: text,
    }),
    bodyBytes,
    access: mayOn('GenerateDataKey', ({ EncryptionContext }) => contextKeys(EncryptionContext), 'others too'),
    handle: (input, scene) => dataKey(scene, input),
  }),
  GenerateDataKeyWithoutPlaintext: operation({
    input: struct('GenerateDataKeyWithoutPlaintextRequest', dataKeyInput),
    output: struct('GenerateDataKeyWithoutPlaintextResponse', {
      CiphertextBlob: blob,
      KeyId: text,
      KeyMaterialId: text,
    }),
    bodyBytes,
    access: mayOn(
      'GenerateDataKeyWithoutPlaintext',
      ({ EncryptionContext }) => contextKeys(EncryptionContext),
      'others too',
    ),
    handle: async (input, scene) => {
      const { Plaintext: _, ...rest } = await dataKey(scene, input);
      return rest;
    },
  }),
  GenerateRandom: operation({
    input: struct('GenerateRandomRequest', {
      NumberOfBytes: number,
      CustomKeyStoreId: refused(text, 'There are no custom key stores: leave it out.'),
      ...recipient,
    }),
    output: struct('GenerateRandomResponse', { Plaintext: plaintext }),
    access: mayList('GenerateRandom'),
    handle: ({ NumberOfBytes: bytes }, { api }) => {
      if (bytes === undefined) throw validation('NumberOfBytes is required.');
      return { Plaintext: api.keys.ports.random(bytes) };
    },
  }),
};

interface DataKeyInput {
  readonly KeyId: string;
  readonly EncryptionContext?: EncryptionContext | undefined;
  readonly NumberOfBytes?: number | undefined;
  readonly KeySpec?: string | undefined;
  readonly DryRun?: boolean | undefined;
}

async function dataKey(
  scene: Scene,
  { KeyId, EncryptionContext: given = {}, NumberOfBytes, KeySpec, DryRun }: DataKeyInput,
) {
  if ((NumberOfBytes === undefined) === (KeySpec === undefined))
    throw validation('Please specify either number of bytes or key spec.');
  checkContext(given);
  const { keys } = scene.api;
  const found = await find(scene, KeyId);
  const plain = keys.ports.random(NumberOfBytes ?? (KeySpec === 'AES_128' ? 16 : 32));
  const CiphertextBlob = await keys.encrypt(found, given, plain);
  endDryRun(DryRun);
  return {
    CiphertextBlob,
    Plaintext: plain,
    KeyId: arnOfKey(scene, found),
    KeyMaterialId: found.key.materials.at(-1)?.id,
  };
}

const arnOfKey = ({ api }: Scene, { account, key }: FoundKey): string => api.keys.keyArn(account, key);

/** What a ciphertext's own key must allow; a ciphertext that is none is asked for as any key would be. */
async function ofCiphertext(
  scene: Scene,
  action: string,
  bytes: Uint8Array | undefined,
  given: EncryptionContext | undefined,
): Promise<AccessRequest> {
  const found = await scene.api.keys.keyOf(bytes ?? new Uint8Array());
  const id = found === undefined ? '*' : arnOfKey(scene, found);
  return accessTo(scene, action, id, contextKeys(given), 'others too');
}

function ciphertextOf(bytes: Uint8Array | undefined): Uint8Array {
  if (bytes === undefined) throw validation('CiphertextBlob is required.');
  return bytes;
}

/** @throws IncorrectKeyException when a ciphertext was made with another key than the one that is named */
async function checkKey(scene: Scene, bytes: Uint8Array | undefined, id: string | undefined): Promise<void> {
  if (id === undefined) return;
  const named = await find(scene, id);
  const made = await scene.api.keys.keyOf(ciphertextOf(bytes));
  if (made !== undefined && (made.key.id !== named.key.id || made.account !== named.account))
    throw new AwsError(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
}

function checkAlgorithm(named: string | undefined): void {
  if (named !== undefined && named !== symmetric)
    throw new AwsError(
      'InvalidKeyUsageException',
      `Keys are symmetric: they encrypt with ${symmetric} alone, not ${named}.`,
    );
}

function checkContext(given: EncryptionContext): void {
  if (Buffer.byteLength(JSON.stringify(given)) > mostContext)
    throw validation(`The encryption context has more than ${mostContext} bytes as JSON writes it.`);
}

/** @throws DryRunOperationException, when all else has gone well */
function endDryRun(asked: boolean | undefined): void {
  if (asked === true)
    throw new AwsError('DryRunOperationException', 'The request would have succeeded, but the DryRun option is set.', {
      status: 412,
    });
}
