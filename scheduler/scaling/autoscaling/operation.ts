import type { AccessList, AccessRequest, ConditionContext, ResourceRef } from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  arnOf,
  type Declared,
  declareOperation,
  type Pages,
  type SceneOf,
} from '@slipway/auth/kit';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import type { Networks } from '../../network/records/index.ts';
import type { Alarms } from '../../signals/alarms/index.ts';
import type { RandomBytes } from '../../state/index.ts';
import { groupArn, type GroupRecord, type Groups, type ProfileRole, unsupported } from '../groups/index.ts';
import { operationSchema } from './shapes.ts';

/** What the operations work with. */
export interface AutoScalingApi {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Whether servers may call an address. @throws OutboundError */
  readonly checkUrl: (url: string) => unknown;
  readonly region: string;
  readonly groups: Groups;
  readonly alarms: Pick<Alarms, 'put' | 'delete' | 'states' | 'all'>;
  readonly networks: Networks;
  readonly profileRole: ProfileRole;
  /** The names of the providers of machines that there are; the first makes those of groups that name none. */
  readonly providers: readonly string[];
  /** How machines of a provider can wait in a warm pool, beside running. */
  readonly rests: (provider: string) => readonly string[];
  readonly pages: Pages;
}

export type Scene = SceneOf<AutoScalingApi>;
export type AutoScalingOperations = ApiOperations<AutoScalingApi>;

export const operation = <I, O>(declared: Declared<AutoScalingApi, I, O>): ApiOperation<AutoScalingApi> =>
  declareOperation({ operationSchema, unsupported }, declared);

/** `autoscaling:<action>` over everything. */
export const mayList = (action: string) => (): AccessList => [
  { action: `autoscaling:${action}`, resources: [{ arn: '*' }] },
];

/** What policies can say about a group; one that is not there is asked for by its name. */
export function reference({ region, account }: Scene, group: GroupRecord | undefined, name: string): ResourceRef {
  if (group !== undefined)
    return {
      arn: groupArn(region, account, group),
      tags: Object.fromEntries(group.tags.map(({ key, value }) => [key, value])),
    };
  const resource = `autoScalingGroup:*:autoScalingGroupName/${name}`;
  return { arn: arnOf({ service: 'autoscaling', region, account, resource }) };
}

/** `autoscaling:<action>` on resources. */
export function may(action: string, resources: readonly ResourceRef[], context: ConditionContext = {}): AccessRequest {
  const tags = resources.flatMap(({ tags: of = {} }) =>
    Object.entries(of).map(([key, value]) => [`autoscaling:ResourceTag/${key}`, value] as const),
  );
  return { action: `autoscaling:${action}`, resources, context: { ...Object.fromEntries(tags), ...context } };
}

/** Access to the group that a request names. */
export const mayOn =
  (action: string) =>
  async (
    { AutoScalingGroupName: name }: { readonly AutoScalingGroupName: string },
    scene: Scene,
  ): Promise<AccessList> => [may(action, [reference(scene, await scene.api.groups.byName(scene.account, name), name)])];

/** Access to the group of the machine that a request names. */
export const mayOnInstance =
  (action: string) =>
  async ({ InstanceId: id }: { readonly InstanceId: string }, scene: Scene): Promise<AccessList> => {
    const { api, account } = scene;
    const machine = await api.groups.machine(account, id);
    const group = machine === undefined ? undefined : await api.groups.byName(account, machine.group);
    return [may(action, [reference(scene, group, machine?.group ?? '*')])];
  };
