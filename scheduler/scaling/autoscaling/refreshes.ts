import type { AccessList } from '@slipway/auth/contract';
import { rowsOf } from '@slipway/auth/kit';

import {
  cancelRefresh,
  type GroupRecord,
  type MadeFrom,
  nextMachines,
  type RefreshDraft,
  type RefreshPreferences,
  type RefreshRecord,
  refreshesOf,
  rollBack,
  startRefresh,
  unsupported,
  validation,
} from '../groups/index.ts';
import { mayPass } from './groups.ts';
import { type AutoScalingOperations, mayList, mayOn, operation, type Scene } from './operation.ts';
import { templateNamed, usable } from './request.ts';
import {
  flag,
  list,
  mixedPolicy,
  number,
  type Of,
  oneGroup,
  paged,
  refused,
  type Shape,
  struct,
  template,
  text,
  texts,
  time,
} from './shapes.ts';

const preferences = struct('RefreshPreferences', {
  MinHealthyPercentage: number,
  MaxHealthyPercentage: number,
  InstanceWarmup: number,
  CheckpointPercentages: list(number),
  CheckpointDelay: number,
  SkipMatching: flag,
  AutoRollback: flag,
  ScaleInProtectedInstances: text,
  StandbyInstances: text,
  AlarmSpecification: struct('AlarmSpecification', { Alarms: texts }),
  BakeTime: number,
});
const startInput = struct('StartInstanceRefreshType', {
  ...oneGroup,
  Strategy: text,
  DesiredConfiguration: struct('DesiredConfiguration', {
    LaunchTemplate: template,
    MixedInstancesPolicy: refused(mixedPolicy, 'Change the group (UpdateAutoScalingGroup), and refresh it after that.'),
  }),
  Preferences: preferences,
});
const shown = struct('InstanceRefresh', {
  InstanceRefreshId: text,
  AutoScalingGroupName: text,
  Status: text,
  StatusReason: text,
  StartTime: time,
  EndTime: time,
  PercentageComplete: number,
  InstancesToUpdate: number,
  ProgressDetails: struct('InstanceRefreshProgressDetails', {
    LivePoolProgress: struct('InstanceRefreshLivePoolProgress', {
      PercentageComplete: number,
      InstancesToUpdate: number,
    }),
  }),
  Preferences: preferences,
  DesiredConfiguration: struct('DesiredConfiguration', { LaunchTemplate: template }),
  RollbackDetails: struct('RollbackDetails', {
    RollbackReason: text,
    RollbackStartTime: time,
  }),
  Strategy: text,
});
const answer = (name: string) => struct(name, { InstanceRefreshId: text });

/** Refreshes: the machines of a group are replaced, a few at a time. */
export const refreshOperations: AutoScalingOperations = {
  StartInstanceRefresh: operation({
    input: startInput,
    output: answer('StartInstanceRefreshAnswer'),
    access: async (input, scene): Promise<AccessList> => [
      ...(await mayOn('StartInstanceRefresh')(input, scene)),
      ...(await mayPass({ LaunchTemplate: input.DesiredConfiguration?.LaunchTemplate }, scene)),
    ],
    handle: async (input, scene) => ({
      InstanceRefreshId: await startRefresh(
        scene.api,
        scene.account,
        input.AutoScalingGroupName,
        await draftOf(input, scene),
      ),
    }),
  }),
  CancelInstanceRefresh: operation({
    input: struct('CancelInstanceRefreshType', {
      ...oneGroup,
      WaitForTransitioningInstances: flag,
    }),
    output: answer('CancelInstanceRefreshAnswer'),
    access: mayOn('CancelInstanceRefresh'),
    handle: async ({ AutoScalingGroupName: name }, { api, account }) => ({
      InstanceRefreshId: await cancelRefresh(api, account, name),
    }),
  }),
  RollbackInstanceRefresh: operation({
    input: struct('RollbackInstanceRefreshType', oneGroup),
    output: answer('RollbackInstanceRefreshAnswer'),
    access: mayOn('RollbackInstanceRefresh'),
    handle: async ({ AutoScalingGroupName: name }, { api, account }) => ({
      InstanceRefreshId: await rollBack(api, account, name),
    }),
  }),
  DescribeInstanceRefreshes: operation({
    input: struct('DescribeInstanceRefreshesType', { ...oneGroup, InstanceRefreshIds: texts, ...paged }),
    output: struct('DescribeInstanceRefreshesAnswer', {
      InstanceRefreshes: list(shown),
      NextToken: text,
    }) as Shape<object>,
    access: mayList('DescribeInstanceRefreshes'),
    handle: async ({ AutoScalingGroupName: of, InstanceRefreshIds: ids, MaxRecords, NextToken }, { api, account }) => {
      const name = ['DescribeInstanceRefreshes', of, ids ?? []];
      const request = { maxResults: MaxRecords, nextToken: NextToken };
      const after = await api.pages.start(account, name, request);
      const all = (await refreshesOf(api, account, of)).filter(({ id }) => ids === undefined || ids.includes(id));
      const { items, nextToken } = await api.pages.page(account, name, request, rowsOf(all, keyOf, after), (refresh) =>
        view(of, refresh),
      );
      return { InstanceRefreshes: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

/** The newest first. */
const keyOf = ({ startedAt, id }: RefreshRecord): string =>
  `${String(Number.MAX_SAFE_INTEGER - startedAt).padStart(16, '0')}/${id}`;

/** What a request makes of a refresh. @throws ValidationError, UnsupportedOperation */
async function draftOf(input: Of<typeof startInput>, scene: Scene): Promise<RefreshDraft> {
  const { api, account } = scene;
  const { AutoScalingGroupName: name, Strategy: strategy = 'Rolling', DesiredConfiguration: asked } = input;
  if (strategy === 'ReplaceRootVolume')
    throw unsupported('The Strategy ReplaceRootVolume', 'Machines are replaced as a whole: say Rolling.');
  if (strategy !== 'Rolling') throw validation(`Strategy must be Rolling, not ${strategy.slice(0, 50)}.`);
  const group = await api.groups.byName(account, name);
  if (group === undefined) throw validation(`AutoScalingGroup name not found - AutoScalingGroup '${name}' not found`);
  const wished = preferencesOf(input.Preferences, group);
  const named =
    asked?.LaunchTemplate === undefined
      ? undefined
      : await templateNamed({ LaunchTemplate: asked.LaunchTemplate }, scene);
  if (named !== undefined && (group.types !== undefined || group.distribution !== undefined))
    throw unsupported(
      'A DesiredConfiguration with a LaunchTemplate for a group with a MixedInstancesPolicy',
      'Change the group (UpdateAutoScalingGroup), and refresh it after that.',
    );
  const made = async (of: GroupRecord): Promise<MadeFrom | undefined> =>
    nextMachines({ ...api, groups: { byName: () => Promise.resolve(of) } })(account, name);
  const next = named === undefined ? group : { ...group, template: named.template };
  await usable(next, scene);
  const target = await made(next);
  if (target === undefined) throw validation('No machine can be made from the launch template any more.');
  // What is called $Latest or $Default may be another one by then: there is nothing that it could go back to.
  const isNumbered = /^\d+$/.test(group.template.version);
  const origin = named === undefined || !isNumbered ? undefined : await made(group);
  if (wished.autoRollback && named === undefined) throw validation('AutoRollback requires a DesiredConfiguration.');
  if (wished.autoRollback && (origin === undefined || !/^\d+$/.test(named?.template.version ?? '')))
    throw validation(
      'AutoRollback requires that the group and the DesiredConfiguration name a version of the launch template by its number, not $Latest or $Default.',
    );
  return {
    preferences: wished,
    ...(named === undefined ? {} : { desired: named.template }),
    target,
    ...(origin === undefined ? {} : { origin }),
  };
}

const ofProtected: readonly string[] = ['Wait', 'Ignore', 'Refresh'] satisfies RefreshPreferences['ofProtected'][];
const isOfProtected = (asked: string): asked is RefreshPreferences['ofProtected'] => ofProtected.includes(asked);
const ofStandby: readonly string[] = ['Wait', 'Ignore', 'Terminate'];

/** With the defaults of the API. @throws ValidationError */
function preferencesOf(asked: Of<typeof preferences> = {}, { grace }: GroupRecord): RefreshPreferences {
  const { ScaleInProtectedInstances: kept = 'Wait', StandbyInstances: standby = 'Wait' } = asked;
  const { MinHealthyPercentage: minHealthy = 90, MaxHealthyPercentage: maxHealthy = 100 } = asked;
  const { CheckpointPercentages: checkpoints = [], AlarmSpecification: specification } = asked;
  if (!isOfProtected(kept))
    throw validation(`ScaleInProtectedInstances must be one of ${ofProtected.join(', ')}, not ${kept.slice(0, 50)}.`);
  if (!ofStandby.includes(standby))
    throw validation(`StandbyInstances must be one of ${ofStandby.join(', ')}, not ${standby.slice(0, 50)}.`);
  if (asked.MaxHealthyPercentage !== undefined && asked.MinHealthyPercentage === undefined)
    throw validation('MaxHealthyPercentage requires MinHealthyPercentage.');
  if (maxHealthy - minHealthy > 100)
    throw validation(
      'The difference between MaxHealthyPercentage and MinHealthyPercentage must not be greater than 100.',
    );
  if (
    checkpoints.some(
      (percent, i) =>
        !Number.isInteger(percent) || percent < 1 || percent > 100 || percent <= (checkpoints[i - 1] ?? 0),
    )
  )
    throw validation('CheckpointPercentages must be whole numbers from 1 to 100, each greater than the one before.');
  if (asked.CheckpointDelay !== undefined && checkpoints.length === 0)
    throw validation('CheckpointDelay requires CheckpointPercentages.');
  return {
    minHealthy,
    maxHealthy,
    warmup: asked.InstanceWarmup ?? grace,
    skipMatching: asked.SkipMatching ?? false,
    checkpoints,
    checkpointDelay: asked.CheckpointDelay ?? 3600,
    bake: asked.BakeTime ?? 0,
    autoRollback: asked.AutoRollback ?? false,
    alarms: specification?.Alarms ?? [],
    ofProtected: kept,
    ofStandby: standby,
  };
}

function view(group: string, refresh: RefreshRecord): Of<typeof shown> {
  const { preferences: of, desired, reason, rolledBackAt } = refresh;
  const progress = { PercentageComplete: refresh.percent, InstancesToUpdate: refresh.left };
  return {
    InstanceRefreshId: refresh.id,
    AutoScalingGroupName: group,
    Status: refresh.status,
    ...(reason === undefined ? {} : { StatusReason: reason }),
    StartTime: new Date(refresh.startedAt),
    ...(refresh.endedAt === undefined ? {} : { EndTime: new Date(refresh.endedAt) }),
    ...progress,
    ProgressDetails: { LivePoolProgress: progress },
    Preferences: {
      MinHealthyPercentage: of.minHealthy,
      MaxHealthyPercentage: of.maxHealthy,
      InstanceWarmup: of.warmup,
      ...(of.checkpoints.length === 0
        ? {}
        : { CheckpointPercentages: of.checkpoints, CheckpointDelay: of.checkpointDelay }),
      SkipMatching: of.skipMatching,
      AutoRollback: of.autoRollback,
      ScaleInProtectedInstances: of.ofProtected,
      StandbyInstances: of.ofStandby,
      ...(of.alarms.length === 0 ? {} : { AlarmSpecification: { Alarms: of.alarms } }),
      BakeTime: of.bake,
    },
    ...(desired === undefined
      ? {}
      : {
          DesiredConfiguration: {
            LaunchTemplate: {
              LaunchTemplateId: desired.id,
              LaunchTemplateName: desired.name,
              Version: desired.version,
            },
          },
        }),
    ...(rolledBackAt === undefined
      ? {}
      : { RollbackDetails: { RollbackReason: reason ?? '', RollbackStartTime: new Date(rolledBackAt) } }),
    Strategy: 'Rolling',
  };
}
