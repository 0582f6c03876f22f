import type { AccessRequest, Call } from '@slipway/auth/contract';
import { passRole } from '@slipway/auth/identity';
import { type Transaction, transact } from '@slipway/storage/records';

import { scan } from '../cluster/index.ts';
import { findService } from '../services/index.ts';
import { newEventId, toJson } from '../state/index.ts';

import { checkBatch, mostOfBatch } from './applications.ts';
import { noApplication, noConfiguration, noGroup, refuse } from './errors.ts';
import { type GroupSettings, parseGroup } from './group-request.ts';
import { groupView, type LastDeployments } from './group-view.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import { arns, checkApplication, checkGroup } from './names.ts';
import { access, type CodeDeployApi, type CodeDeployOperations, codeDeployTags, placeOf } from './options.ts';
import { lookAt } from './progressing.ts';
import type { CodeDeployRecord, GroupRecord } from './records.ts';
import { application, configuration, group } from './store.ts';

/** Create, change, delete, get and list deployment groups. */
export function groupOperations(api: CodeDeployApi): CodeDeployOperations {
  const allow = (action: string, of: string, name: string, call: Call): AccessRequest =>
    access(action, arns.group(placeOf(api, call), of, name));

  /** What a group names has to be there. @throws InvalidECSServiceException, DeploymentConfigDoesNotExistException */
  async function check(account: string, settings: GroupSettings): Promise<void> {
    if ((await configuration(api, account, settings.configuration)) === undefined)
      throw noConfiguration(settings.configuration);
    const { cluster, name } = settings.service;
    const service = await findService(api, { account, cluster, service: name });
    if (service?.status !== 'ACTIVE')
      throw refuse(
        'InvalidECSService',
        `The ECS service ${name} does not exist in the cluster ${cluster}, or is not ACTIVE.`,
      );
    if (service.controller !== 'CODE_DEPLOY')
      throw refuse(
        'InvalidECSService',
        "Deployment group's ECS service must be configured for a CODE_DEPLOY deployment controller.",
      );
  }

  return {
    CreateDeploymentGroup: {
      access: ({ applicationName = '', deploymentGroupName = '', serviceRoleArn, tags }, call) => [
        access('CreateDeploymentGroup', arns.group(placeOf(api, call), applicationName, deploymentGroupName), tags),
        ...(serviceRoleArn === undefined ? [] : [passRole(serviceRoleArn, 'codedeploy.amazonaws.com')]),
      ],
      handle: async (input, { account }) => {
        const of = checkApplication(input.applicationName);
        const name = checkGroup(input.deploymentGroupName);
        const tags = codeDeployTags.parse(input.tags);
        await application(api, account, of);
        const settings = parseGroup(input, undefined, account);
        await check(account, settings);
        const created: GroupRecord = {
          ...settings,
          application: of,
          name,
          id: newEventId(api.random),
          createdAt: api.clock.now(),
          tags,
        };
        await transact(api.records, codeDeployPartition(account), async (tx) => {
          if ((await tx.get(codeDeployKeys.application(of))) === undefined) throw noApplication(of);
          if ((await tx.get(codeDeployKeys.group(of, name))) !== undefined) throw alreadyThere(name);
          await claim(tx, created);
          tx.put(codeDeployKeys.group(of, name), toJson(created));
        });
        return { deploymentGroupId: created.id };
      },
    },
    UpdateDeploymentGroup: {
      access: (input, call) => {
        const { applicationName: of = '', currentDeploymentGroupName: name = '', newDeploymentGroupName: next } = input;
        return [
          allow('UpdateDeploymentGroup', of, name, call),
          ...(next === undefined ? [] : [allow('UpdateDeploymentGroup', of, next, call)]),
          ...(input.serviceRoleArn === undefined ? [] : [passRole(input.serviceRoleArn, 'codedeploy.amazonaws.com')]),
        ];
      },
      handle: async (input, { account }) => {
        const of = checkApplication(input.applicationName);
        const name = checkGroup(input.currentDeploymentGroupName);
        const next = input.newDeploymentGroupName === undefined ? name : checkGroup(input.newDeploymentGroupName);
        await check(account, parseGroup(input, await group(api, account, of, name), account));
        await transact(api.records, codeDeployPartition(account), async (tx) => {
          const before = await tx.get<GroupRecord>(codeDeployKeys.group(of, name));
          if (before === undefined) throw noGroup(name);
          if (next !== name && (await tx.get(codeDeployKeys.group(of, next))) !== undefined) throw alreadyThere(next);
          const { id, createdAt, tags, latest } = before;
          const changed: GroupRecord = {
            ...parseGroup(input, before, account),
            application: of,
            name: next,
            id,
            createdAt,
            tags,
            ...(latest === undefined ? {} : { latest }),
          };
          tx.remove(codeDeployKeys.service(before.service.cluster, before.service.name));
          tx.remove(codeDeployKeys.group(of, name));
          await claim(tx, changed, before);
          tx.put(codeDeployKeys.group(of, next), toJson(changed));
        });
        return { hooksNotCleanedUp: [] };
      },
    },
    DeleteDeploymentGroup: {
      access: ({ applicationName = '', deploymentGroupName = '' }, call) => [
        allow('DeleteDeploymentGroup', applicationName, deploymentGroupName, call),
      ],
      handle: async (input, { account }) => {
        const of = checkApplication(input.applicationName);
        const name = checkGroup(input.deploymentGroupName);
        await transact(api.records, codeDeployPartition(account), async (tx) => {
          const found = await tx.get<GroupRecord>(codeDeployKeys.group(of, name));
          // What is not there needs no end: so AWS answers too, and a command that is repeated.
          if (found === undefined) return;
          tx.remove(codeDeployKeys.group(of, name));
          tx.remove(codeDeployKeys.service(found.service.cluster, found.service.name));
        });
        return { hooksNotCleanedUp: [] };
      },
    },
    GetDeploymentGroup: {
      access: ({ applicationName = '', deploymentGroupName = '' }, call) => [
        allow('GetDeploymentGroup', applicationName, deploymentGroupName, call),
      ],
      handle: async (input, { account }) => {
        const of = checkApplication(input.applicationName);
        const found = await group(api, account, of, checkGroup(input.deploymentGroupName));
        return { deploymentGroupInfo: groupView(found, await lastOf(api, account, found)) };
      },
    },
    BatchGetDeploymentGroups: {
      access: ({ applicationName = '', deploymentGroupNames = [] }, call) => [
        allow('BatchGetDeploymentGroups', applicationName, '*', call),
        ...deploymentGroupNames
          .slice(0, mostOfBatch)
          .map((name) => allow('GetDeploymentGroup', applicationName, name, call)),
      ],
      handle: async (input, { account }) => {
        const of = checkApplication(input.applicationName);
        const names = checkBatch(input.deploymentGroupNames, (name) => checkGroup(name));
        const found = await Promise.all(names.map((name) => group(api, account, of, name)));
        const infos = found.map(async (one) => groupView(one, await lastOf(api, account, one)));
        return { deploymentGroupsInfo: await Promise.all(infos) };
      },
    },
    ListDeploymentGroups: {
      access: ({ applicationName = '' }, call) => [allow('ListDeploymentGroups', applicationName, '*', call)],
      handle: async (input, { account }) => {
        const of = checkApplication(input.applicationName);
        await application(api, account, of);
        const list = ['ListDeploymentGroups', of];
        const after = await api.pages.start(account, list, input);
        const rows = scan<GroupRecord>(api.records, codeDeployPartition(account), codeDeployKeys.groupsOf(of), after);
        const { items, ...more } = await api.pages.page(account, list, input, rows, ({ name }) => name);
        return { applicationName: of, deploymentGroups: items, ...more };
      },
    },
  };
}

/** Makes the service the group's alone. @throws ECSServiceMappingLimitExceededException when another group has it */
async function claim(
  tx: Transaction,
  { application: of, name, service }: GroupRecord,
  before?: GroupRecord,
): Promise<void> {
  const key = codeDeployKeys.service(service.cluster, service.name);
  const held = await tx.get<{ readonly application: string; readonly group: string }>(key);
  const isOwn = held === undefined || (held.application === before?.application && held.group === before.name);
  if (!isOwn)
    throw refuse(
      'ECSServiceMappingLimitExceeded',
      `The ECS service ${service.name} is of the deployment group ${held.group} of ${held.application} already: a service has one.`,
    );
  tx.put(key, { application: of, group: name });
}

const alreadyThere = (name: string): Error =>
  refuse('DeploymentGroupAlreadyExists', `A deployment group with the name ${name} already exists.`);

/** The newest deployment of a group, as far as it is known. */
async function lastOf(api: CodeDeployApi, account: string, { latest }: GroupRecord): Promise<LastDeployments> {
  if (latest === undefined) return {};
  const partition = codeDeployPartition(account);
  const record = (await api.records.get<CodeDeployRecord>(partition, codeDeployKeys.deployment(latest)))?.value;
  if (record === undefined) return {};
  const { status, endedAt } = await lookAt(api, account, record);
  const attempted = {
    deploymentId: latest,
    status,
    createTime: new Date(record.createdAt),
    ...(endedAt === undefined ? {} : { endTime: new Date(endedAt) }),
  };
  return { attempted, ...(status === 'Succeeded' ? { successful: attempted } : {}) };
}
