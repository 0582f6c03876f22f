import { AwsError } from '@slipway/auth/contract';
import { requestTags, type Row } from '@slipway/auth/kit';

import type { LogGroup, LogGroupSettings } from '../store/index.ts';

import { invalid } from './errors.ts';
import { groupArn, groupAsSent, groupOfIdentifier } from './names.ts';
import { type LogsOperations, mayList, mayOn, operation, type Scene } from './operation.ts';
import {
  byGroup,
  flag,
  list,
  nextPage,
  nothing,
  number,
  refused,
  required,
  struct,
  tags,
  text,
  texts,
} from './shapes.ts';
import { logTags, wireTags } from './tagging.ts';

/** Days that a group may keep its events (API reference, PutRetentionPolicy). */
const retentions = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
];
const oneAccount = 'There are no linked accounts: groups of the own account are listed.';
const oneClass = 'Every group is of the class STANDARD. Leave logGroupClass out.';
const noKeys = 'Events are not encrypted with keys of KMS: encrypt the disk or the bucket. Leave kmsKeyId out.';
/** Groups that are read at once. */
const batch = 200;

const group = struct('LogGroup', {
  logGroupName: text,
  creationTime: number,
  retentionInDays: number,
  metricFilterCount: number,
  arn: text,
  storedBytes: number,
  logGroupClass: text,
  logGroupArn: text,
  deletionProtectionEnabled: flag,
});

/** Log groups: made, listed, kept for some days, and deleted. */
export const groupOperations: LogsOperations = {
  CreateLogGroup: operation({
    input: struct('CreateLogGroupRequest', {
      ...byGroup,
      kmsKeyId: refused(text, noKeys),
      tags,
      logGroupClass: text,
      deletionProtectionEnabled: flag,
    }),
    output: nothing,
    access: mayOn(
      'CreateLogGroup',
      ({ logGroupName }) => ({ group: logGroupName }),
      (input) => requestTags(input.tags ?? {}),
    ),
    handle: async (input, { api, account }) => {
      if (input.logGroupName.startsWith('aws/')) throw invalid("Log groups starting with 'aws/' are reserved for AWS.");
      if (input.logGroupClass !== undefined && input.logGroupClass !== 'STANDARD')
        throw invalid(`logGroupClass ${input.logGroupClass} is not supported by this installation. ${oneClass}`);
      await api.logs.createGroup(account, input.logGroupName, {
        tags: logTags.parse(wireTags(input.tags ?? {})),
        logGroupClass: 'STANDARD',
        ...(input.deletionProtectionEnabled === true ? { deletionProtectionEnabled: true } : {}),
      });
      return {};
    },
  }),
  DescribeLogGroups: operation({
    input: struct('DescribeLogGroupsRequest', {
      ...nextPage,
      accountIdentifiers: refused(texts, oneAccount),
      logGroupNamePrefix: text,
      logGroupNamePattern: text,
      includeLinkedAccounts: refused(flag, oneAccount),
      logGroupClass: text,
      logGroupIdentifiers: texts,
    }),
    output: struct('DescribeLogGroupsResponse', { logGroups: list(group), nextToken: text }),
    access: mayList('DescribeLogGroups'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { logGroupNamePrefix: prefix, logGroupNamePattern: pattern, logGroupIdentifiers: identifiers } = input;
      if (prefix !== undefined && pattern !== undefined)
        throw invalid('LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.');
      if (identifiers !== undefined && (prefix !== undefined || pattern !== undefined))
        throw invalid('logGroupIdentifiers cannot be given together with a prefix or a pattern of names.');
      const name = ['DescribeLogGroups', prefix, pattern, identifiers, input.logGroupClass];
      const request = { nextToken: input.nextToken, maxResults: input.limit };
      const after = await api.pages.start(account, name, request);
      const only =
        identifiers === undefined ? undefined : new Set(identifiers.map((one) => groupOfIdentifier(scene, one)));
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        only === undefined ? rows(scene, prefix, after) : rowsOfNames(scene, only, after),
        (found) =>
          (input.logGroupClass ?? found.logGroupClass) === found.logGroupClass && found.name.includes(pattern ?? '')
            ? found
            : undefined,
      );
      const logGroups = await Promise.all(items.map((found) => described(scene, found)));
      return { logGroups, ...(nextToken === undefined ? {} : { nextToken }) };
    },
  }),
  ListLogGroups: operation({
    input: struct('ListLogGroupsRequest', {
      ...nextPage,
      logGroupNamePattern: text,
      logGroupClass: text,
      includeLinkedAccounts: refused(flag, oneAccount),
      accountIdentifiers: refused(texts, oneAccount),
      dataSources: refused(
        list(struct('DataSourceFilter', { name: required(text), type: text })),
        'Groups have no data sources.',
      ),
      fieldIndexNames: refused(texts, 'There are no field indexes.'),
      logGroupTags: refused(
        list(struct('TagFilter', { key: required(text), values: texts })),
        'Use ListTagsForResource for each group.',
      ),
    }),
    output: struct('ListLogGroupsResponse', {
      logGroups: list(struct('LogGroupSummary', { logGroupName: text, logGroupArn: text, logGroupClass: text })),
      nextToken: text,
    }),
    access: mayList('ListLogGroups'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const name = ['ListLogGroups', input.logGroupNamePattern, input.logGroupClass];
      const request = { nextToken: input.nextToken, maxResults: input.limit };
      const after = await api.pages.start(account, name, request);
      const alternatives = input.logGroupNamePattern?.split('|') ?? [''];
      const isNamed = (of: string): boolean =>
        alternatives.some((one) => (one.startsWith('^') ? of.startsWith(one.slice(1)) : of.includes(one)));
      const pick = (found: LogGroup) =>
        (input.logGroupClass ?? found.logGroupClass) === found.logGroupClass && isNamed(found.name)
          ? { logGroupName: found.name, logGroupArn: groupArn(scene, found.name), logGroupClass: found.logGroupClass }
          : undefined;
      const limits = { most: 1000 };
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rows(scene, undefined, after),
        pick,
        limits,
      );
      return { logGroups: items, ...(nextToken === undefined ? {} : { nextToken }) };
    },
  }),
  DeleteLogGroup: operation({
    input: struct('DeleteLogGroupRequest', byGroup),
    output: nothing,
    access: mayOn('DeleteLogGroup', ({ logGroupName }) => ({ group: logGroupName })),
    handle: async ({ logGroupName }, { api, account }) => {
      await api.logs.deleteGroup(account, logGroupName, ({ deletionProtectionEnabled }) => {
        if (deletionProtectionEnabled === true)
          throw new AwsError(
            'ValidationException',
            'The log group is protected from deletion. Switch that off with PutLogGroupDeletionProtection first.',
          );
      });
      return {};
    },
  }),
  PutRetentionPolicy: operation({
    input: struct('PutRetentionPolicyRequest', { ...byGroup, retentionInDays: required(number) }),
    output: nothing,
    access: mayOn('PutRetentionPolicy', ({ logGroupName }) => ({ group: logGroupName })),
    handle: async ({ logGroupName, retentionInDays }, scene) => {
      if (!retentions.includes(retentionInDays))
        throw invalid(
          `1 validation error detected: Value '${retentionInDays}' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [${retentions.join(', ')}]`,
        );
      return change(scene, logGroupName, { retentionInDays });
    },
  }),
  DeleteRetentionPolicy: operation({
    input: struct('DeleteRetentionPolicyRequest', byGroup),
    output: nothing,
    access: mayOn('DeleteRetentionPolicy', ({ logGroupName }) => ({ group: logGroupName })),
    handle: ({ logGroupName }, scene) => change(scene, logGroupName, { retentionInDays: undefined }),
  }),
  PutLogGroupDeletionProtection: operation({
    input: struct('PutLogGroupDeletionProtectionRequest', {
      logGroupIdentifier: required(text),
      deletionProtectionEnabled: required(flag),
    }),
    output: nothing,
    access: mayOn('PutLogGroupDeletionProtection', (input, scene) => ({ group: groupAsSent(scene, input) })),
    handle: ({ logGroupIdentifier, deletionProtectionEnabled }, scene) =>
      change(scene, groupOfIdentifier(scene, logGroupIdentifier), { deletionProtectionEnabled }),
  }),
};

async function change({ api, account }: Scene, name: string, changed: Partial<LogGroupSettings>): Promise<object> {
  await api.logs.changeGroup(account, name, (settings) => ({ ...settings, ...changed }));
  return {};
}

/** Groups in the order of their names, read as they are asked for. */
async function* rows(
  scene: Scene,
  prefix: string | undefined,
  start: string | undefined,
): AsyncGenerator<Row<LogGroup>> {
  const { api, account } = scene;
  for (let after = start; ;) {
    const { groups, more } = await api.logs.groups(account, { prefix, after, limit: batch });
    for (const value of groups) yield { key: value.name, value };
    after = groups.at(-1)?.name;
    if (!more || after === undefined) return;
  }
}

/** Those of some groups that exist. */
async function* rowsOfNames(
  { api, account }: Scene,
  names: ReadonlySet<string>,
  after: string | undefined,
): AsyncGenerator<Row<LogGroup>> {
  for (const key of [...names].toSorted()) {
    if (after !== undefined && key <= after) continue;
    const value = await api.logs.group(account, key);
    if (value !== undefined) yield { key, value };
  }
}

async function described(scene: Scene, found: LogGroup) {
  const metricFilterCount = await scene.api.filters.count(scene.account, found.id);
  const arn = groupArn(scene, found.name);
  return {
    logGroupName: found.name,
    creationTime: found.createdAt,
    ...(found.retentionInDays === undefined ? {} : { retentionInDays: found.retentionInDays }),
    metricFilterCount,
    arn: `${arn}:*`,
    storedBytes: found.storedBytes,
    logGroupClass: found.logGroupClass,
    logGroupArn: arn,
    deletionProtectionEnabled: found.deletionProtectionEnabled === true,
  };
}
