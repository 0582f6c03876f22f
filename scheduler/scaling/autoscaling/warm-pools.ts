import { rowsOf } from '@slipway/auth/kit';

import {
  deleteWarmPool,
  type GroupRecord,
  isPooled,
  putWarmPool,
  type Rest,
  unsupported,
  validation,
  type WarmPoolRecord,
} from '../groups/index.ts';
import { viewMachine } from './instances.ts';
import { type AutoScalingOperations, mayList, mayOn, operation } from './operation.ts';
import { flag, instanceMembers, list, number, type Of, oneGroup, paged, type Shape, struct, text } from './shapes.ts';

const reusePolicy = struct('InstanceReusePolicy', { ReuseOnScaleIn: flag });
const settings = {
  MaxGroupPreparedCapacity: number,
  MinSize: number,
  PoolState: text,
  InstanceReusePolicy: reusePolicy,
};
const putInput = struct('PutWarmPoolType', { ...oneGroup, ...settings });

/** A warm pool as it is shown. */
export const warmPool = struct('WarmPoolConfiguration', { ...settings, Status: text });

const rests: readonly string[] = ['Stopped', 'Running', 'Hibernated'] satisfies readonly Rest[];
const isRest = (asked: string): asked is Rest => rests.includes(asked);

/** Warm pools: machines that are prepared before a group wants them. */
export const warmPoolOperations: AutoScalingOperations = {
  PutWarmPool: operation({
    input: putInput,
    output: struct('PutWarmPoolAnswer', {}) as Shape<object>,
    access: mayOn('PutWarmPool'),
    handle: async (input, { api, account }) => {
      await putWarmPool(api, account, input.AutoScalingGroupName, (before, group) =>
        changed(input, before, api.rests(group.provider), group),
      );
      return {};
    },
  }),
  DescribeWarmPool: operation({
    input: struct('DescribeWarmPoolType', { ...oneGroup, ...paged }),
    output: struct('DescribeWarmPoolAnswer', {
      WarmPoolConfiguration: warmPool,
      Instances: list(struct('Instance', instanceMembers)),
      NextToken: text,
    }),
    access: mayList('DescribeWarmPool'),
    handle: async ({ AutoScalingGroupName: of, MaxRecords, NextToken }, { api, account }) => {
      const group = await api.groups.byName(account, of);
      if (group === undefined) throw validation(`AutoScalingGroup name not found - AutoScalingGroup '${of}' not found`);
      const name = ['DescribeWarmPool', of];
      const request = { maxResults: MaxRecords, nextToken: NextToken };
      const after = await api.pages.start(account, name, request);
      const all = (await api.groups.machines(account)).filter((one) => one.group === of && isPooled(one));
      const now = api.clock.now();
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(all, ({ id }) => id, after),
        (machine) => viewMachine(machine, group, now),
      );
      return { ...viewWarmPool(group), Instances: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
  DeleteWarmPool: operation({
    input: struct('DeleteWarmPoolType', { ...oneGroup, ForceDelete: flag }),
    output: struct('DeleteWarmPoolAnswer', {}) as Shape<object>,
    access: mayOn('DeleteWarmPool'),
    handle: async ({ AutoScalingGroupName: name, ForceDelete = false }, { api, account }) => {
      await deleteWarmPool(api, api.groups, account, name, ForceDelete);
      return {};
    },
  }),
};

/** What a request makes of a warm pool. What it does not say stays as it was. @throws ValidationError, UnsupportedOperation */
function changed(
  input: Of<typeof putInput>,
  before: WarmPoolRecord | undefined,
  able: readonly string[],
  { provider }: GroupRecord,
): WarmPoolRecord {
  const rest = input.PoolState ?? before?.rest ?? 'Stopped';
  if (!isRest(rest)) throw validation(`PoolState must be one of ${rests.join(', ')}, not ${rest.slice(0, 50)}.`);
  if (rest !== 'Running' && !able.includes(rest))
    throw unsupported(
      `The PoolState ${rest}`,
      `The instance provider ${provider} cannot have machines wait like that: say ${['Running', ...able].join(' or ')}.`,
    );
  const prepared = input.MaxGroupPreparedCapacity ?? before?.prepared ?? -1;
  return {
    rest,
    min: input.MinSize ?? before?.min ?? 0,
    ...(prepared < 0 ? {} : { prepared }),
    reuse: input.InstanceReusePolicy?.ReuseOnScaleIn ?? before?.reuse ?? false,
  };
}

/** The warm pool of a group, if it has one. */
export const viewWarmPool = ({ warm }: GroupRecord): { readonly WarmPoolConfiguration?: Of<typeof warmPool> } =>
  warm === undefined
    ? {}
    : {
        WarmPoolConfiguration: {
          ...(warm.prepared === undefined ? {} : { MaxGroupPreparedCapacity: warm.prepared }),
          MinSize: warm.min,
          PoolState: warm.rest,
          ...(warm.deleting === true ? { Status: 'PendingDelete' } : {}),
          InstanceReusePolicy: { ReuseOnScaleIn: warm.reuse },
        },
      };
