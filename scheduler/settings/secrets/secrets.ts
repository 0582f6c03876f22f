import type { AccessRequest } from '@slipway/auth/contract';
import { requestTags, tagsAsSent } from '@slipway/auth/kit';

import { invalidParameter } from './errors.ts';
import { mostBody, versionOf } from './given-value.ts';
import {
  accessTo,
  described,
  find,
  mayOn,
  namesOf,
  operation,
  type Scene,
  secretArn,
  type SecretsOperations,
} from './operation.ts';
import type { SecretRecord } from './records.ts';
import { rotationRules, rotationShown } from './rotate.ts';
import {
  byId,
  flag,
  list,
  map,
  named,
  number,
  refused,
  required,
  struct,
  tags,
  text,
  texts,
  time,
  valueMembers,
} from './shapes.ts';
import { secretTags } from './tagging.ts';

const noReplicas = 'This installation is one region: leave it out.';
const noTypes = 'Secrets of other services and their rotation are not managed here: leave it out.';
const recovery = { usual: 30, least: 7, most: 30 } as const;

/** Secrets: made, described, changed, and deleted with a time to think again. */
export const secretOperations: SecretsOperations = {
  CreateSecret: operation({
    input: struct('CreateSecretRequest', {
      Name: required(text),
      ClientRequestToken: text,
      Description: text,
      KmsKeyId: text,
      ...valueMembers,
      Tags: tags,
      AddReplicaRegions: refused(list(struct('ReplicaRegionType', { Region: text, KmsKeyId: text })), noReplicas),
      ForceOverwriteReplicaSecret: refused(flag, noReplicas),
      Type: refused(text, noTypes),
    }),
    output: struct('CreateSecretResponse', { ...named, VersionId: text }),
    bodyBytes: mostBody,
    access: async (input, scene) => {
      const { Name, Tags } = input;
      const { sealing } = scene.api.secrets;
      const keys = hasValue(input) ? await sealing.access(scene.account, input.KmsKeyId, 'encrypt') : [];
      return [
        {
          action: 'secretsmanager:CreateSecret',
          resources: [{ arn: secretArn(scene, Name), tags: tagsAsSent(Tags) }],
          context: {
            'secretsmanager:Name': Name,
            'secretsmanager:KmsKeyId': input.KmsKeyId,
            ...requestTags(tagsAsSent(Tags)),
          },
        },
        ...keys,
      ];
    },
    handle: async (input, scene) => {
      const kmsKey = await keyChosen(scene, input.KmsKeyId);
      const version = versionOf(scene, input);
      const secret = await scene.api.secrets.create(
        scene.account,
        {
          name: input.Name,
          tags: secretTags.parse(input.Tags),
          ...(input.Description === undefined ? {} : { description: input.Description }),
          ...(kmsKey === undefined ? {} : { kmsKey }),
        },
        version,
      );
      return { ...namesOf(scene, secret), ...(version === undefined ? {} : { VersionId: version.id }) };
    },
  }),
  DescribeSecret: operation({
    input: struct('DescribeSecretRequest', byId),
    output: struct('DescribeSecretResponse', {
      ...named,
      Description: text,
      KmsKeyId: text,
      RotationEnabled: flag,
      RotationLambdaARN: text,
      RotationRules: rotationRules,
      LastRotatedDate: time,
      NextRotationDate: time,
      LastChangedDate: time,
      DeletedDate: time,
      Tags: tags,
      VersionIdsToStages: map(texts),
      CreatedDate: time,
    }),
    access: mayOn('DescribeSecret'),
    handle: async ({ SecretId }, scene) => {
      const secret = await find(scene, SecretId);
      return {
        ...namesOf(scene, secret),
        ...described(secret),
        ...rotationShown(secret),
        VersionIdsToStages: Object.fromEntries(
          secret.versions.filter(({ stages }) => stages.length > 0).map(({ id, stages }) => [id, stages]),
        ),
      };
    },
  }),
  UpdateSecret: operation({
    input: struct('UpdateSecretRequest', {
      ...byId,
      ClientRequestToken: text,
      Description: text,
      KmsKeyId: text,
      ...valueMembers,
      Type: refused(text, noTypes),
    }),
    output: struct('UpdateSecretResponse', { ...named, VersionId: text }),
    bodyBytes: mostBody,
    access: async (input, scene) => [
      await accessTo(scene, 'UpdateSecret', input.SecretId, { 'secretsmanager:KmsKeyId': input.KmsKeyId }),
      ...(await keysOfUpdate(input, scene)),
    ],
    handle: async (input, scene) => {
      const { api, account } = scene;
      if (input.KmsKeyId !== undefined)
        await api.secrets.rekey(account, input.SecretId, await keyChosen(scene, input.KmsKeyId));
      const version = versionOf(scene, input);
      const change = (secret: SecretRecord): SecretRecord =>
        input.Description === undefined ? secret : { ...secret, description: input.Description };
      const secret =
        version === undefined
          ? await api.secrets.change(account, input.SecretId, change)
          : await api.secrets.put(account, input.SecretId, version, change);
      return { ...namesOf(scene, secret), ...(version === undefined ? {} : { VersionId: version.id }) };
    },
  }),
  DeleteSecret: operation({
    input: struct('DeleteSecretRequest', { ...byId, RecoveryWindowInDays: number, ForceDeleteWithoutRecovery: flag }),
    output: struct('DeleteSecretResponse', { ...named, DeletionDate: time }),
    access: mayOn('DeleteSecret', ({ RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: force = false }) => ({
      'secretsmanager:ForceDeleteWithoutRecovery': String(force),
      ...(days === undefined ? {} : { 'secretsmanager:RecoveryWindowInDays': String(days) }),
    })),
    handle: async ({ SecretId, RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: force = false }, scene) => {
      const { api, account } = scene;
      if (force && days !== undefined)
        throw invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
      if (days !== undefined && !(Number.isInteger(days) && days >= recovery.least && days <= recovery.most))
        throw invalidParameter('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).');
      if (force) {
        const gone = await api.secrets.remove(account, SecretId);
        const names = gone === undefined ? { ARN: secretArn(scene, SecretId), Name: SecretId } : namesOf(scene, gone);
        return { ...names, DeletionDate: scene.call.time };
      }
      const secret = await api.secrets.schedule(account, SecretId, days ?? recovery.usual);
      return { ...namesOf(scene, secret), DeletionDate: new Date(secret.deletionAt ?? 0) };
    },
  }),
  RestoreSecret: operation({
    input: struct('RestoreSecretRequest', byId),
    output: struct('RestoreSecretResponse', named),
    access: mayOn('RestoreSecret'),
    handle: async ({ SecretId }, scene) =>
      namesOf(scene, await scene.api.secrets.schedule(scene.account, SecretId, undefined)),
  }),
};

/** The key that a request names, as it is kept. @throws EncryptionFailure when there is none */
const keyChosen = async ({ api, account }: Scene, key: string | undefined): Promise<string | undefined> =>
  key === undefined || key === '' ? undefined : api.secrets.sealing.chosen(account, key);

/** Whether a request brings a value. */
const hasValue = (input: { readonly SecretString?: unknown; readonly SecretBinary?: unknown }): boolean =>
  input.SecretString !== undefined || input.SecretBinary !== undefined;

/** What an update needs on keys: on those that values are kept with to read them, on the one of the next value to write. */
async function keysOfUpdate(
  input: { readonly SecretId: string; readonly KmsKeyId?: string | undefined } & Parameters<typeof hasValue>[0],
  { api, account }: Scene,
): Promise<readonly AccessRequest[]> {
  const found = await api.secrets.find(account, input.SecretId);
  if (found === undefined || (input.KmsKeyId === undefined && !hasValue(input))) return [];
  const arn = api.secrets.arn(account, found);
  const { sealing } = api.secrets;
  const writing = await sealing.access(account, input.KmsKeyId ?? found.kmsKey, 'encrypt', arn);
  return input.KmsKeyId === undefined ? writing : [...(await api.secrets.rekeyAccess(account, found)), ...writing];
}
