import type { AccessList, ConditionContext } from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  type Declared,
  declareOperation,
  type Pages,
  type SceneOf,
} from '@slipway/auth/kit';
import type { Outbound } from '@slipway/auth/outbound';
import type { Clock } from '@slipway/storage/clock';

import type { RandomBytes } from '../../../state/index.ts';
import type { MetricFilters } from '../filters/index.ts';
import type { LogQueries, QueryDefinitions } from '../queries/index.ts';
import type { LogStore } from '../store/index.ts';
import type { ReceiverTest, Subscriptions } from '../subscriptions/index.ts';

import { inOurWords, unsupported } from './errors.ts';
import { groupArn, streamArn } from './names.ts';
import { operationSchema } from './shapes.ts';

/** What the operations work with. */
export interface LogsApi {
  readonly logs: LogStore;
  readonly filters: MetricFilters;
  readonly subscriptions: Subscriptions;
  /** Where webhooks may be. */
  readonly outbound: Pick<Outbound, 'check'>;
  /** Tells a receiver that it will be told events; answers why that was not taken. */
  readonly tell: ReceiverTest;
  readonly queries: LogQueries;
  readonly definitions: QueryDefinitions;
  readonly random: RandomBytes;
  readonly clock: Clock;
  readonly region: string;
  readonly pages: Pages;
  /** Sessions of live tail that are open on this server, by account. */
  readonly sessions: Map<string, number>;
}

export type Scene = SceneOf<LogsApi>;
export type LogsOperations = ApiOperations<LogsApi>;

/** Declares an operation, whose errors are put in AWS's words. */
export const operation = <I, O>(declared: Declared<LogsApi, I, O>): ApiOperation<LogsApi> =>
  declareOperation(
    { operationSchema, unsupported },
    {
      ...declared,
      handle: async (input: I, scene) => {
        try {
          return await declared.handle(input, scene);
        } catch (error) {
          throw inOurWords(error);
        }
      },
    },
  );

/** `logs:<action>` on several groups at once, each of which must be allowed, with its tags. */
export async function mayOnAll(action: string, groups: readonly string[], scene: Scene): Promise<AccessList> {
  const resources = await Promise.all(
    groups.map(async (group) => ({ arn: streamArn(scene, group), ...(await tagsOfGroup(scene, group)) })),
  );
  return [{ action: `logs:${action}`, resources: resources.length === 0 ? [{ arn: '*' }] : resources }];
}

/** `logs:<action>` on a group, or on one of its streams, with the tags of the group. */
export const mayOn =
  <I>(
    action: string,
    of: (input: NoInfer<I>, scene: Scene) => { readonly group: string; readonly stream?: string },
    contextOf: (input: NoInfer<I>) => ConditionContext = () => ({}),
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => {
    const { group, stream } = of(input, scene);
    const arn = streamArn(scene, group, stream);
    return [
      {
        action: `logs:${action}`,
        resources: [{ arn, ...(await tagsOfGroup(scene, group)) }],
        context: contextOf(input),
      },
    ];
  };

/** As {@link mayOn}, for the actions on tags, which are on the ARN of the group itself. */
export const mayTag =
  <I>(
    action: string,
    of: (input: NoInfer<I>, scene: Scene) => string,
    contextOf: (input: NoInfer<I>) => ConditionContext = () => ({}),
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => {
    const group = of(input, scene);
    const resource = { arn: groupArn(scene, group), ...(await tagsOfGroup(scene, group)) };
    return [{ action: `logs:${action}`, resources: [resource], context: contextOf(input) }];
  };

/** `logs:<action>` over all groups. */
export const mayList =
  (action: string) =>
  (_: unknown, scene: Scene): AccessList => [{ action: `logs:${action}`, resources: [{ arn: streamArn(scene, '') }] }];

/** `logs:<action>`, which is about no group. */
export const mayAny = (action: string) => (): AccessList => [{ action: `logs:${action}`, resources: [{ arn: '*' }] }];

async function tagsOfGroup(
  { api, account }: Scene,
  group: string,
): Promise<{ readonly tags?: Readonly<Record<string, string>> }> {
  const found = await api.logs.group(account, group);
  return found === undefined ? {} : { tags: found.tags };
}
