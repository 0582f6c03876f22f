import { rowsOf } from '@slipway/auth/kit';

import { isListed } from './filters.ts';
import { described, mayList, namesOf, operation, type SecretsOperations } from './operation.ts';
import type { SecretRecord } from './records.ts';
import { rotationRules, rotationShown } from './rotate.ts';
import { filters, flag, list, map, named, page, struct, tags, text, texts, time } from './shapes.ts';

/** The list of an account's secrets. */
export const listOperations: SecretsOperations = {
  ListSecrets: operation({
    input: struct('ListSecretsRequest', {
      IncludePlannedDeletion: flag,
      ...page,
      Filters: filters,
      SortOrder: text,
      SortBy: text,
    }),
    output: struct('ListSecretsResponse', {
      SecretList: list(
        struct('SecretListEntry', {
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
          SecretVersionsToStages: map(texts),
          CreatedDate: time,
        }),
      ),
      NextToken: text,
    }),
    access: mayList('ListSecrets'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { IncludePlannedDeletion: deleted = false, Filters: given = [], SortBy = 'created-date' } = input;
      const descending = (input.SortOrder ?? 'desc') === 'desc';
      const name = ['ListSecrets', deleted, given, SortBy, descending];
      const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const keyOf = (secret: SecretRecord): string => {
        const time = SortBy === 'last-changed-date' ? secret.changedAt : secret.createdAt;
        const place = descending ? Number.MAX_SAFE_INTEGER - time : time;
        return SortBy === 'name' ? secret.name : `${String(place).padStart(16, '0')}/${secret.name}`;
      };
      const after = await api.pages.start(account, name, request);
      const secrets = await api.secrets.all(account);
      const rows = SortBy === 'name' && descending ? byNameDescending(secrets, after) : rowsOf(secrets, keyOf, after);
      const { items, nextToken } = await api.pages.page(account, name, request, rows, (secret) =>
        (deleted || secret.deletionAt === undefined) && isListed(secret, given)
          ? {
              ...namesOf(scene, secret),
              ...described(secret),
              ...rotationShown(secret),
              SecretVersionsToStages: Object.fromEntries(
                secret.versions.filter(({ stages }) => stages.length > 0).map(({ id, stages }) => [id, stages]),
              ),
            }
          : undefined,
      );
      return { SecretList: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

const byNameDescending = (secrets: readonly SecretRecord[], after: string | undefined) =>
  secrets
    .map((value) => ({ key: value.name, value }))
    .filter(({ key }) => after === undefined || key < after)
    .toSorted((a, b) => (a.key > b.key ? -1 : 1));
