import { AwsError } from '@slipway/auth/contract';
import { rowsOf } from '@slipway/auth/kit';

import { allow } from './allow.ts';
import { invalidParameter, notFound } from './errors.ts';
import { isListed } from './filters.ts';
import { mostBody, versionOf } from './given-value.ts';
import { accessTo, find, mayList, namesOf, operation, type Scene, type SecretsOperations } from './operation.ts';
import type { SecretRecord } from './records.ts';
import {
  byId,
  filters,
  list,
  named,
  page,
  refused,
  secret,
  struct,
  text,
  texts,
  time,
  valueMembers,
} from './shapes.ts';
import type { VersionChoice } from './store.ts';

const batch = 20;

const answer = { ...named, VersionId: text, ...valueMembers, VersionStages: texts, CreatedDate: time } as const;

/** Values of secrets: put, and read. */
export const valueOperations: SecretsOperations = {
  PutSecretValue: operation({
    input: struct('PutSecretValueRequest', {
      ...byId,
      ClientRequestToken: text,
      ...valueMembers,
      VersionStages: texts,
      RotationToken: refused(secret(text), 'Secrets of other accounts are not rotated from here: leave it out.'),
    }),
    output: struct('PutSecretValueResponse', { ...named, VersionId: text, VersionStages: texts }),
    bodyBytes: mostBody,
    access: async ({ SecretId }, scene) => {
      const { api, account } = scene;
      const found = await api.secrets.find(account, SecretId);
      const arn = found && api.secrets.arn(account, found);
      return [
        await accessTo(scene, 'PutSecretValue', SecretId),
        ...(await api.secrets.sealing.access(account, found?.kmsKey, 'encrypt', arn)),
      ];
    },
    handle: async (input, scene) => {
      const version = versionOf(scene, input);
      if (version === undefined) throw invalidParameter('You must provide either SecretString or SecretBinary.');
      const put = await scene.api.secrets.put(scene.account, input.SecretId, {
        ...version,
        stages: input.VersionStages,
      });
      const stages = put.versions.find(({ id }) => id === version.id)?.stages ?? [];
      return { ...namesOf(scene, put), VersionId: version.id, VersionStages: stages };
    },
  }),
  GetSecretValue: operation({
    input: struct('GetSecretValueRequest', { ...byId, VersionId: text, VersionStage: text }),
    output: struct('GetSecretValueResponse', answer),
    access: ({ SecretId, VersionId, VersionStage }, { api, account }) =>
      api.secrets.readAccess(account, SecretId, { versionId: VersionId, stage: VersionStage }),
    handle: async ({ SecretId, VersionId, VersionStage }, scene) =>
      read(scene, await find(scene, SecretId), { versionId: VersionId, stage: VersionStage }),
  }),
  BatchGetSecretValue: operation({
    input: struct('BatchGetSecretValueRequest', { SecretIdList: texts, Filters: filters, ...page }),
    output: struct('BatchGetSecretValueResponse', {
      SecretValues: list(struct('SecretValueEntry', answer)),
      NextToken: text,
      Errors: list(struct('APIErrorType', { SecretId: text, ErrorCode: text, Message: text })),
    }),
    access: ({ Filters }) =>
      Filters === undefined
        ? mayList('BatchGetSecretValue')()
        : [...mayList('BatchGetSecretValue')(), ...mayList('ListSecrets')()],
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { SecretIdList: ids, Filters: given } = input;
      if ((ids === undefined) === (given === undefined))
        throw invalidParameter('You must provide either SecretIdList or Filters, and not both.');
      if (ids !== undefined) {
        if (input.MaxResults !== undefined || input.NextToken !== undefined)
          throw invalidParameter('MaxResults and NextToken go with Filters.');
        return readAll(scene, ids);
      }
      const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const name = ['BatchGetSecretValue', given];
      const rows = rowsOf(
        await api.secrets.all(account),
        (one) => one.name,
        await api.pages.start(account, name, request),
      );
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rows,
        (one) =>
          one.deletionAt === undefined && isListed(one, given ?? []) ? api.secrets.arn(account, one) : undefined,
        { usual: batch, most: batch },
      );
      return { ...(await readAll(scene, items)), ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

async function read(scene: Scene, found: SecretRecord, choice: VersionChoice) {
  const { version, value } = await scene.api.secrets.value(scene.account, found, choice, (access) =>
    allow(scene, access, true),
  );
  return {
    ...namesOf(scene, found),
    VersionId: version.id,
    ...(value.kind === 'string'
      ? { SecretString: value.text }
      : { SecretBinary: new Uint8Array(Buffer.from(value.text, 'base64')) }),
    VersionStages: version.stages,
    CreatedDate: new Date(version.createdAt),
  };
}

/** The values of several secrets, each as the caller may read it; what is wrong with one spoils no other. */
async function readAll(scene: Scene, ids: readonly string[]) {
  const { api, account } = scene;
  const values: Awaited<ReturnType<typeof read>>[] = [];
  const errors: { SecretId: string; ErrorCode: string; Message: string }[] = [];
  for (const id of ids) {
    try {
      for (const access of await api.secrets.readAccess(account, id, {})) await allow(scene, access);
      const found = await api.secrets.find(account, id);
      if (found === undefined) throw notFound();
      values.push(await read(scene, found, {}));
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      errors.push({ SecretId: id, ErrorCode: error.code, Message: error.message });
    }
  }
  return { SecretValues: values, Errors: errors };
}
