import { rowsOf } from '@slipway/auth/kit';

import { invalidParameter, notFound } from './errors.ts';
import { find, mayOn, namesOf, operation, type SecretsOperations } from './operation.ts';
import type { SecretRecord, SecretVersion } from './records.ts';
import { byId, flag, list, named, page, required, struct, text, texts, time } from './shapes.ts';
import { current, label, unlabel } from './versions.ts';

/** Versions of secrets and their staging labels. */
export const versionOperations: SecretsOperations = {
  ListSecretVersionIds: operation({
    input: struct('ListSecretVersionIdsRequest', { ...byId, ...page, IncludeDeprecated: flag }),
    output: struct('ListSecretVersionIdsResponse', {
      Versions: list(
        struct('SecretVersionsListEntry', {
          VersionId: text,
          VersionStages: texts,
          CreatedDate: time,
          KmsKeyIds: texts,
        }),
      ),
      NextToken: text,
      ...named,
    }),
    access: mayOn('ListSecretVersionIds'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const found = await find(scene, input.SecretId);
      const { IncludeDeprecated: all = false } = input;
      const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const name = ['ListSecretVersionIds', api.secrets.arn(account, found), all];
      const keyOf = ({ createdAt, id }: SecretVersion): string =>
        `${String(Number.MAX_SAFE_INTEGER - createdAt).padStart(16, '0')}/${id}`;
      const rows = rowsOf(found.versions, keyOf, await api.pages.start(account, name, request));
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rows,
        ({ id, stages, createdAt, key }) =>
          all || stages.length > 0
            ? {
                VersionId: id,
                VersionStages: stages,
                CreatedDate: new Date(createdAt),
                KmsKeyIds: [key ?? 'DefaultEncryptionKey'],
              }
            : undefined,
      );
      return {
        Versions: items,
        ...namesOf(scene, found),
        ...(nextToken === undefined ? {} : { NextToken: nextToken }),
      };
    },
  }),
  UpdateSecretVersionStage: operation({
    input: struct('UpdateSecretVersionStageRequest', {
      ...byId,
      VersionStage: required(text),
      RemoveFromVersionId: text,
      MoveToVersionId: text,
    }),
    output: struct('UpdateSecretVersionStageResponse', named),
    access: mayOn('UpdateSecretVersionStage', ({ VersionStage }) => ({ 'secretsmanager:VersionStage': VersionStage })),
    handle: async ({ SecretId, VersionStage: stage, RemoveFromVersionId: from, MoveToVersionId: to }, scene) =>
      namesOf(
        scene,
        await scene.api.secrets.change(scene.account, SecretId, (before) => moved(before, stage, from, to)),
      ),
  }),
};

/** A secret with a label moved, put on or taken off. @throws InvalidParameterException, ResourceNotFoundException */
function moved(before: SecretRecord, stage: string, from: string | undefined, to: string | undefined): SecretRecord {
  if (from === undefined && to === undefined)
    throw invalidParameter('You must provide RemoveFromVersionId, MoveToVersionId, or both.');
  for (const id of [from, to])
    if (id !== undefined && !before.versions.some((version) => version.id === id))
      throw notFound(`Secrets Manager can't find the specified secret value for VersionId: ${id}`);
  const holder = before.versions.find(({ stages }) => stages.includes(stage))?.id;
  if (to === undefined) {
    if (stage === current)
      throw invalidParameter(
        "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.",
      );
    if (holder !== from) throw invalidParameter(notAttached(stage, from ?? ''));
    return { ...before, versions: unlabel(before.versions, from ?? '', stage) };
  }
  if (holder !== undefined && holder !== to && from === undefined)
    throw invalidParameter(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder}, so you must explicitly reference that version in RemoveFromVersionId.`,
    );
  if (from !== undefined && holder !== from) throw invalidParameter(notAttached(stage, from));
  return { ...before, versions: label(before.versions, to, [stage]) };
}

const notAttached = (stage: string, from: string): string =>
  `The version ${from} of RemoveFromVersionId does not have the staging label ${stage}.`;
