import { AwsError } from '@slipway/auth/contract';
import { pageSize } from '@slipway/auth/kit';

import { type DashboardRecord, metricKeys, metricsPartition } from '../store/index.ts';

import { invalid } from './errors.ts';
import { type CloudWatchOperations, dashboardArn, mayAny, operation } from './operation.ts';
import { list, nothing, number, refused, required, struct, tagList, text, texts, time } from './shapes.ts';

/** Dashboards of an account, names in one deletion, and characters of a body: a record is no place for more. */
const mostDashboards = 500;
const mostNames = 100;
const mostCharacters = 1024 * 1024;
/** Characters after which an account gets no more dashboards, however few they are. */
const mostTogether = 16 * mostCharacters;
const name = /^[A-Za-z0-9_-]{1,255}$/;
const sizes = {
  usual: 300,
  most: 300,
  badSize: (_: number, most: number) => invalid(`A page has 1 to ${most} dashboards.`),
};

const validationMessages = list(struct('DashboardValidationMessage', { DataPath: text, Message: text }));

/** Dashboards are kept and given back as they were put. */
export const dashboardOperations: CloudWatchOperations = {
  PutDashboard: operation({
    input: struct('PutDashboardInput', {
      DashboardName: required(text),
      DashboardBody: required(text),
      Tags: refused(tagList, 'Dashboards have no tags here. Leave out Tags.'),
    }),
    output: struct('PutDashboardOutput', { DashboardValidationMessages: validationMessages }),
    bodyBytes: 4 * mostCharacters,
    access: ({ DashboardName }, { account }) => [
      { action: 'cloudwatch:PutDashboard', resources: [{ arn: dashboardArn(account, DashboardName) }] },
    ],
    handle: async ({ DashboardName, DashboardBody }, { api, account }) => {
      if (!name.test(DashboardName))
        throw refusal(
          '',
          `The value ${DashboardName.slice(0, 300)} for field dashboardName is invalid: it has 1 to 255 letters, digits, - and _.`,
        );
      checkBody(DashboardBody);
      const { records, clock } = api;
      const partition = metricsPartition(account);
      const key = metricKeys.dashboard(DashboardName);
      if ((await records.get(partition, key)) === undefined) {
        // A page ends where its bodies come to `mostTogether`, before it has as many as were asked for.
        const { records: all, more } = await records.list(partition, {
          prefix: metricKeys.dashboards,
          limit: mostDashboards,
          characters: mostTogether,
        });
        if (all.length >= mostDashboards || more)
          throw new AwsError(
            'LimitExceededFault',
            `The account has ${mostDashboards} dashboards, or such as have ${mostTogether} characters together, and may have no more.`,
          );
      }
      const value: DashboardRecord = { body: DashboardBody, modifiedAt: clock.now() };
      await records.commit(partition, { put: [{ key, value: { ...value } }] });
      return { DashboardValidationMessages: [] };
    },
  }),

  GetDashboard: operation({
    input: struct('GetDashboardInput', { DashboardName: required(text) }),
    output: struct('GetDashboardOutput', { DashboardArn: text, DashboardBody: text, DashboardName: text }),
    access: ({ DashboardName }, { account }) => [
      { action: 'cloudwatch:GetDashboard', resources: [{ arn: dashboardArn(account, DashboardName) }] },
    ],
    handle: async ({ DashboardName }, { api, account }) => {
      const partition = metricsPartition(account);
      const found = name.test(DashboardName)
        ? await api.records.get<DashboardRecord>(partition, metricKeys.dashboard(DashboardName))
        : undefined;
      if (found === undefined) throw missing(DashboardName);
      return { DashboardArn: dashboardArn(account, DashboardName), DashboardBody: found.value.body, DashboardName };
    },
  }),

  ListDashboards: operation({
    input: struct('ListDashboardsInput', { DashboardNamePrefix: text, NextToken: text }),
    output: struct('ListDashboardsOutput', {
      DashboardEntries: list(
        struct('DashboardEntry', { DashboardName: text, DashboardArn: text, LastModified: time, Size: number }),
      ),
      NextToken: text,
    }),
    access: mayAny('ListDashboards'),
    handle: async ({ DashboardNamePrefix: prefix = '', NextToken }, { api, account }) => {
      const page = ['ListDashboards', prefix];
      const after = await api.pages.start(account, page, { nextToken: NextToken });
      // A name has no other characters, so nothing begins with one of them.
      if (!/^[A-Za-z0-9_-]*$/.test(prefix)) return { DashboardEntries: [] };
      const { records, more } = await api.records.list<DashboardRecord>(metricsPartition(account), {
        prefix: metricKeys.dashboard(prefix),
        after,
        limit: pageSize(sizes, {}),
      });
      const DashboardEntries = records.map(({ key, value }) => {
        const DashboardName = key.slice(metricKeys.dashboards.length);
        return {
          DashboardName,
          DashboardArn: dashboardArn(account, DashboardName),
          LastModified: new Date(value.modifiedAt),
          Size: Buffer.byteLength(value.body),
        };
      });
      const last = records.at(-1);
      if (!more || last === undefined) return { DashboardEntries };
      return { DashboardEntries, NextToken: await api.pages.token(account, page, last.key) };
    },
  }),

  DeleteDashboards: operation({
    input: struct('DeleteDashboardsInput', { DashboardNames: required(texts) }),
    output: nothing,
    access: ({ DashboardNames: [first = '*', ...others] }, { account }) => [
      {
        action: 'cloudwatch:DeleteDashboards',
        resources: [first, ...others].map((one) => ({ arn: dashboardArn(account, one) })),
      },
    ],
    handle: async ({ DashboardNames }, { api, account }) => {
      if (DashboardNames.length === 0 || DashboardNames.length > mostNames)
        throw invalid(`The parameter DashboardNames must have 1 to ${mostNames} names.`);
      const partition = metricsPartition(account);
      const names = [...new Set(DashboardNames)];
      const unknown = names.find((one) => !name.test(one));
      if (unknown !== undefined) throw missing(unknown);
      const keys = names.map(metricKeys.dashboard);
      const found = await api.records.getMany(partition, keys);
      // All of them, or none.
      const gone = names.find((one) => !found.has(metricKeys.dashboard(one)));
      if (gone !== undefined) throw missing(gone);
      await api.records.commit(partition, { remove: keys });
      return {};
    },
  }),
};

/** @throws DashboardInvalidInputError unless it is the JSON of an object whose widgets, if there are any, are objects with a type */
function checkBody(body: string): void {
  if (body.length > mostCharacters)
    throw refusal('', `The field DashboardBody has at most ${mostCharacters} characters`);
  let read: unknown;
  try {
    read = JSON.parse(body);
  } catch (error) {
    throw refusal('', `The field DashboardBody must be a valid JSON object: ${(error as Error).message.slice(0, 200)}`);
  }
  if (!isObject(read)) throw refusal('', 'The field DashboardBody must be a valid JSON object');
  const { widgets = [] } = read;
  if (!Array.isArray(widgets)) throw refusal('/widgets', 'Should be an array');
  for (const [index, widget] of widgets.entries()) {
    if (!isObject(widget)) throw refusal(`/widgets/${index}`, 'Should be an object');
    if (typeof widget['type'] !== 'string') throw refusal(`/widgets/${index}/type`, 'Should be a string');
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function refusal(path: string, message: string): AwsError {
  const problems = [{ DataPath: path, Message: message }];
  const said = problems
    .map(({ DataPath, Message }) => `${DataPath === '' ? '' : `${DataPath}: `}${Message}`)
    .join('; ');
  return new AwsError('DashboardInvalidInputError', `The dashboard is invalid: ${said}`, {
    members: { dashboardValidationMessages: problems },
  });
}

const missing = (which: string): AwsError =>
  new AwsError('DashboardNotFoundError', `Dashboard ${which.slice(0, 300)} does not exist`, { status: 404 });
