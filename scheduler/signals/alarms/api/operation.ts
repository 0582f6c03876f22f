import { type AccessList, AwsError, type ConditionContext } from '@slipway/auth/contract';
import { type ApiOperation, type ApiOperations, type Declared, type Pages, type SceneOf } from '@slipway/auth/kit';
import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import { declareCloudWatch, invalid } from '../../metrics/index.ts';
import { alarmArn } from '../actions/index.ts';
import { RuleError } from '../composite/index.ts';
import {
  AlarmInRule,
  AlarmMissing,
  AlarmOfOtherKind,
  type Alarms,
  RuleGoesRound,
  TooManyAlarms,
} from '../store/index.ts';

/** What the operations on alarms work with. */
export interface AlarmsApi {
  readonly alarms: Alarms;
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly region: string;
  readonly pages: Pages;
  /** Checks the address of a webhook. @throws OutboundError */
  readonly checkUrl: (url: string) => unknown;
  /** What an action may name beside webhooks: undefined where it is not known, else why it cannot be had, or true. */
  readonly acts: (action: string, account: string) => true | string | undefined;
}

export type Scene = SceneOf<AlarmsApi>;
export type AlarmOperations = ApiOperations<AlarmsApi>;

/** Declares an operation on alarms, whose errors are put in AWS's words. */
export const operation = <I, O>(declared: Declared<AlarmsApi, I, O>): ApiOperation<AlarmsApi> =>
  declareCloudWatch({
    ...declared,
    handle: async (input: I, scene) => {
      try {
        return await declared.handle(input, scene);
      } catch (error) {
        throw inOurWords(error);
      }
    },
  });

/** `cloudwatch:<action>` on each of some alarms, with their tags. */
export const mayOn =
  <I>(
    action: string,
    names: (input: NoInfer<I>) => readonly string[],
    contextOf: (input: NoInfer<I>) => ConditionContext = () => ({}),
  ) =>
  async (input: I, scene: Scene): Promise<AccessList> => {
    const asked = [...new Set(names(input))].slice(0, 100);
    const known = await scene.api.alarms.states(scene.account, asked);
    const resources = asked.map((name) => {
      const tags = known.get(name)?.tags;
      return { arn: arnIn(scene, name), ...(tags === undefined ? {} : { tags }) };
    });
    return [{ action: `cloudwatch:${action}`, resources, context: contextOf(input) }];
  };

/** `cloudwatch:<action>` over all alarms. */
export const mayList =
  (action: string) =>
  (_: unknown, scene: Scene): AccessList => [
    { action: `cloudwatch:${action}`, resources: [{ arn: arnIn(scene, '*') }] },
  ];

export const arnIn = ({ account, region }: Pick<Scene, 'account' | 'region'>, name: string): string =>
  alarmArn({ account, region }, name);

function inOurWords(error: unknown): unknown {
  if (error instanceof RuleError) return invalid(`AlarmRule: ${error.message}`);
  if (error instanceof RuleGoesRound)
    return invalid(`AlarmRule would make the alarm depend on itself: ${error.way.join(' -> ')}.`);
  if (error instanceof AlarmOfOtherKind)
    return invalid(
      `The alarm ${error.alarm} exists and is of the other kind: metric alarms and composite alarms cannot become each other. Delete it first, or take another name.`,
    );
  if (error instanceof AlarmMissing)
    return new AwsError('ResourceNotFound', `Alarms that do not exist: ${error.names.slice(0, 10).join(', ')}.`);
  if (error instanceof AlarmInRule)
    return invalid(
      `Cannot delete the alarm ${error.alarm}: the rule of the composite alarm ${error.parent} names it. Change or delete that one first, or both in one call.`,
    );
  if (error instanceof TooManyAlarms) return new AwsError('LimitExceededFault', `Sorry, ${error.message}.`);
  return error;
}
