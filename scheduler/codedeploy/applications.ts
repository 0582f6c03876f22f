import type { ApplicationInfo } from '@aws-sdk/client-codedeploy';
import { transact } from '@slipway/storage/records';

import { scan } from '../cluster/index.ts';
import { newEventId, toJson } from '../state/index.ts';

import { noApplication, notDone, refuse } from './errors.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import { arns, checkApplication } from './names.ts';
import { access, type CodeDeployApi, type CodeDeployOperations, codeDeployTags, placeOf } from './options.ts';
import type { ApplicationRecord, GroupRecord } from './records.ts';
import { application, groupsOf } from './store.ts';

/** How many something may be asked for at once. */
export const mostOfBatch = 100;

/** Create, rename, delete, get and list applications. */
export function applicationOperations(api: CodeDeployApi): CodeDeployOperations {
  return {
    CreateApplication: {
      access: ({ applicationName = '', tags }, call) => [
        access('CreateApplication', arns.application(placeOf(api, call), applicationName), tags),
      ],
      handle: async (input, { account }) => {
        const name = checkApplication(input.applicationName);
        checkPlatform(input.computePlatform);
        const tags = codeDeployTags.parse(input.tags);
        const created: ApplicationRecord = { name, id: newEventId(api.random), createdAt: api.clock.now(), tags };
        await transact(api.records, codeDeployPartition(account), async (tx) => {
          const key = codeDeployKeys.application(name);
          if ((await tx.get(key)) !== undefined) throw alreadyThere(name);
          tx.put(key, toJson(created));
        });
        return { applicationId: created.id };
      },
    },
    UpdateApplication: {
      access: ({ applicationName = '', newApplicationName }, call) => [
        access('UpdateApplication', arns.application(placeOf(api, call), applicationName)),
        ...(newApplicationName === undefined
          ? []
          : [access('UpdateApplication', arns.application(placeOf(api, call), newApplicationName))]),
      ],
      handle: async (input, { account }) => {
        const name = checkApplication(input.applicationName);
        const next = checkApplication(input.newApplicationName);
        await transact(api.records, codeDeployPartition(account), async (tx) => {
          const found = await tx.get<ApplicationRecord>(codeDeployKeys.application(name));
          if (found === undefined) throw noApplication(name);
          if (next === name) return;
          if ((await tx.get(codeDeployKeys.application(next))) !== undefined) throw alreadyThere(next);
          tx.remove(codeDeployKeys.application(name));
          tx.put(codeDeployKeys.application(next), toJson({ ...found, name: next }));
          const { records: groups } = await tx.list<GroupRecord>({ prefix: codeDeployKeys.groupsOf(name) });
          for (const { key, value } of groups) {
            tx.remove(key);
            const moved: GroupRecord = { ...value, application: next };
            tx.put(codeDeployKeys.group(next, value.name), toJson(moved));
            tx.put(codeDeployKeys.service(value.service.cluster, value.service.name), {
              application: next,
              group: value.name,
            });
          }
        });
        return {};
      },
    },
    DeleteApplication: {
      access: ({ applicationName = '' }, call) => [
        access('DeleteApplication', arns.application(placeOf(api, call), applicationName)),
      ],
      handle: async (input, { account }) => {
        const name = checkApplication(input.applicationName);
        // What is not there needs no end: so AWS answers too, and a command that is repeated.
        const groups = await groupsOf(api, account, name);
        await transact(api.records, codeDeployPartition(account), (tx) => {
          tx.remove(codeDeployKeys.application(name));
          for (const one of groups) {
            tx.remove(codeDeployKeys.group(name, one.name));
            tx.remove(codeDeployKeys.service(one.service.cluster, one.service.name));
          }
          return Promise.resolve();
        });
        return {};
      },
    },
    GetApplication: {
      access: ({ applicationName = '' }, call) => [
        access('GetApplication', arns.application(placeOf(api, call), applicationName)),
      ],
      handle: async (input, { account }) => ({
        application: view(await application(api, account, checkApplication(input.applicationName))),
      }),
    },
    BatchGetApplications: {
      access: ({ applicationNames = [] }, call) => [
        {
          action: 'codedeploy:BatchGetApplications',
          resources: [{ arn: arns.application(placeOf(api, call), '*') }],
          context: {},
        },
        ...applicationNames
          .slice(0, mostOfBatch)
          .map((name) => access('GetApplication', arns.application(placeOf(api, call), name))),
      ],
      handle: async ({ applicationNames }, { account }) => {
        const names = checkBatch(applicationNames, (name) => checkApplication(name));
        return {
          applicationsInfo: await Promise.all(names.map(async (name) => view(await application(api, account, name)))),
        };
      },
    },
    ListApplications: {
      access: (_, call) => [access('ListApplications', arns.application(placeOf(api, call), '*'))],
      handle: async (input, { account }) => {
        const list = ['ListApplications'];
        const after = await api.pages.start(account, list, input);
        const rows = scan<ApplicationRecord>(
          api.records,
          codeDeployPartition(account),
          codeDeployKeys.applications,
          after,
        );
        const { items, ...more } = await api.pages.page(account, list, input, rows, ({ name }) => name);
        return { applications: items, ...more };
      },
    },
  };
}

/** @throws OperationNotSupportedException for anything but ECS */
export function checkPlatform(platform: string | undefined): void {
  if (platform === 'ECS') return;
  throw notDone(
    `The compute platform ${platform ?? 'Server'}`,
    "What CodeDeploy deploys here are ECS services: set computePlatform to 'ECS'.",
  );
}

/** @throws BatchLimitExceededException, and what `check` throws */
export function checkBatch(given: readonly string[] | undefined, check: (name: string) => string): string[] {
  if (given === undefined || given.length === 0) throw refuse('InvalidInput', 'Name at least one.');
  if (given.length > mostOfBatch)
    throw refuse('BatchLimitExceeded', `At most ${mostOfBatch} can be asked for at once, not ${given.length}.`);
  return [...new Set(given)].map((name) => check(name));
}

const alreadyThere = (name: string): Error =>
  refuse('ApplicationAlreadyExists', `An application with the name ${name} already exists.`);

const view = ({ name, id, createdAt }: ApplicationRecord): ApplicationInfo => ({
  applicationId: id,
  applicationName: name,
  createTime: new Date(createdAt),
  linkedToGitHub: false,
  computePlatform: 'ECS',
});
