import type { Stored } from '@slipway/storage/records';

import { AwsError, type Call } from '@slipway/auth/contract';
import { smallTagList } from '@slipway/auth/kit';

import { clientError, invalidParameter, isName, ecsTags, scan } from '../cluster/index.ts';
import { accountKeys, accountPartition, arns, type FamilyRecord, type TaskDefinitionRecord } from '../state/index.ts';
import {
  checkDefinition,
  checkDefinitionRequest,
  checkReach,
  definitionView,
  deleteDefinition,
  deregisterDefinition,
  findDefinition,
  fullRoleArn,
  normalizeDefinition,
  parseDefinition,
  passRoles,
  registerRevision,
  withFullRoles,
} from '../tasks/index.ts';
import { checkList, definitionResource, requestTags, tagOnCreate } from './access.ts';
import { type EcsApi, type EcsOperations, homeOf } from './options.ts';

/** Register, describe, list, deregister and delete task definitions. */
export function taskDefinitionOperations(options: EcsApi): EcsOperations {
  const find = (identifier: string | undefined, call: Call): Promise<TaskDefinitionRecord | undefined> =>
    findDefinition(options, call.account, parseDefinition(identifier ?? '', homeOf(options, call)));
  return {
    RegisterTaskDefinition: {
      access: (input, call) => {
        const arn = arns.taskDefinitions(options.region, call.account, input.family ?? '');
        return [
          { action: 'ecs:RegisterTaskDefinition', resources: [{ arn }], context: requestTags(input.tags) },
          ...tagOnCreate('RegisterTaskDefinition', arn, input.tags),
          ...passRoles([input.taskRoleArn, input.executionRoleArn].map((role) => fullRoleArn(call.account, role))),
        ];
      },
      handle: async (input, call) => {
        checkDefinitionRequest(input);
        const body = withFullRoles(call.account, normalizeDefinition(input));
        checkDefinition(body);
        checkReach(options, body);
        const record = await registerRevision(options, call.account, {
          family: input.family ?? '',
          body,
          tags: ecsTags.parse(input.tags),
          registeredBy: call.principal.arn,
        });
        return { taskDefinition: definitionView(record), tags: smallTagList(record.tags) };
      },
    },
    DescribeTaskDefinition: {
      // The resource is the revision that the name resolves to; a name without one is answered like any unknown one.
      access: async (input, call) => {
        const found = await find(input.taskDefinition, call);
        return [
          { action: 'ecs:DescribeTaskDefinition', resources: [found ? definitionResource(found) : { arn: '*' }] },
        ];
      },
      handle: async (input, call) => {
        const found = await find(input.taskDefinition, call);
        if (found === undefined) throw clientError('Unable to describe task definition.');
        return {
          taskDefinition: definitionView(found),
          tags: input.include?.includes('TAGS') ? smallTagList(found.tags) : [],
        };
      },
    },
    DeregisterTaskDefinition: {
      access: async (input, call) => {
        const found = await find(input.taskDefinition, call);
        return [
          { action: 'ecs:DeregisterTaskDefinition', resources: [found ? definitionResource(found) : { arn: '*' }] },
        ];
      },
      handle: async (input, call) => {
        const ref = parseDefinition(input.taskDefinition ?? '', homeOf(options, call));
        return { taskDefinition: definitionView(await deregisterDefinition(options, call.account, ref)) };
      },
    },
    DeleteTaskDefinitions: {
      access: async (input, call) => [
        {
          action: 'ecs:DeleteTaskDefinitions',
          resources: await Promise.all(
            checkList('TaskDefinitions', input.taskDefinitions, 10).map(async (identifier) => {
              const found = await find(identifier, call);
              return found ? definitionResource(found) : { arn: '*' };
            }),
          ),
        },
      ],
      handle: async (input, call) => {
        const taskDefinitions = [];
        const failures = [];
        for (const identifier of input.taskDefinitions ?? []) {
          const ref = parseDefinition(identifier, homeOf(options, call));
          try {
            taskDefinitions.push(definitionView(await deleteDefinition(options, call.account, ref)));
          } catch (error) {
            if (!(error instanceof AwsError)) throw error;
            const arn = arns.taskDefinition(options.region, call.account, ref.family, ref.revision ?? 0);
            failures.push({ arn, reason: error.message });
          }
        }
        return { taskDefinitions, failures };
      },
    },
    ListTaskDefinitions: {
      access: () => [{ action: 'ecs:ListTaskDefinitions', resources: [{ arn: '*' }] }],
      handle: async (input, call) => {
        const { familyPrefix, status = 'ACTIVE', sort = 'ASC' } = input;
        checkEnum('status', status, ['ACTIVE', 'INACTIVE', 'DELETE_IN_PROGRESS']);
        checkEnum('sort', sort, ['ASC', 'DESC']);
        const scope = ['ListTaskDefinitions', familyPrefix ?? '', status, sort];
        const after = await options.pages.start(call.account, scope, input);
        const prefix =
          familyPrefix === undefined
            ? accountKeys.allTaskDefinitions
            : accountKeys.taskDefinitions(checkFamily(familyPrefix));
        const partition = accountPartition(call.account);
        const rows =
          sort === 'ASC'
            ? scan<TaskDefinitionRecord>(options.records, partition, prefix, after)
            : await backwards(scan<TaskDefinitionRecord>(options.records, partition, prefix), after);
        const { items, ...more } = await options.pages.page(call.account, scope, input, rows, (record) =>
          record.status === status ? record.arn : undefined,
        );
        return { taskDefinitionArns: items, ...more };
      },
    },
    ListTaskDefinitionFamilies: {
      access: () => [{ action: 'ecs:ListTaskDefinitionFamilies', resources: [{ arn: '*' }] }],
      handle: async (input, call) => {
        const { familyPrefix = '', status = 'ACTIVE' } = input;
        checkEnum('status', status, ['ACTIVE', 'INACTIVE', 'ALL']);
        if (familyPrefix !== '') checkFamily(familyPrefix);
        const scope = ['ListTaskDefinitionFamilies', familyPrefix, status];
        const rows = scan<FamilyRecord>(
          options.records,
          accountPartition(call.account),
          accountKeys.family(familyPrefix),
          await options.pages.start(call.account, scope, input),
        );
        const { items, ...more } = await options.pages.page(
          call.account,
          scope,
          input,
          rows,
          ({ family, latestActive }) =>
            status === 'ALL' || (latestActive !== undefined) === (status === 'ACTIVE') ? family : undefined,
        );
        return { families: items, ...more };
      },
    },
  };
}

function checkFamily(family: string): string {
  if (!isName(family))
    throw invalidParameter(`Invalid family '${family}': use letters, digits, hyphens and underscores.`);
  return family;
}

function checkEnum(member: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value))
    throw invalidParameter(`${member} must be one of ${allowed.join(', ')}, not '${value}'.`);
}

/** Records in descending order of their keys, those below `after`. */
async function backwards<T>(source: AsyncIterable<Stored<T>>, after: string | undefined): Promise<Stored<T>[]> {
  const rows: Stored<T>[] = [];
  for await (const row of source) if (after === undefined || row.key < after) rows.push(row);
  return rows.reverse();
}
