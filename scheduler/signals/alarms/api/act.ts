import { AwsError } from '@slipway/auth/contract';

import type { AlarmState } from '../evaluation/index.ts';
import { type AlarmOperations, mayOn, operation, type Scene } from './operation.ts';
import { nothing, required, struct, text, texts } from './shapes.ts';

const byNames = { AlarmNames: required(texts) } as const;
const names = ({ AlarmNames }: { readonly AlarmNames: readonly string[] }): readonly string[] => AlarmNames;

async function enable({ api, account }: Scene, alarms: readonly string[], actionsEnabled: boolean): Promise<object> {
  // Those that do not exist are passed over, as AWS does it.
  const known = await api.alarms.states(account, alarms);
  await api.alarms.amend(account, [...known.keys()], (alarm) => ({ ...alarm, actionsEnabled }));
  return {};
}

/** What is done with alarms. */
export const actOperations: AlarmOperations = {
  DeleteAlarms: operation({
    input: struct('DeleteAlarmsInput', byNames),
    output: nothing,
    access: mayOn('DeleteAlarms', names),
    handle: async ({ AlarmNames }, { api, account }) => {
      await api.alarms.delete(account, AlarmNames);
      return {};
    },
  }),
  SetAlarmState: operation({
    input: struct('SetAlarmStateInput', {
      AlarmName: required(text),
      StateValue: required(text),
      StateReason: required(text),
      StateReasonData: text,
    }),
    output: nothing,
    access: mayOn('SetAlarmState', ({ AlarmName }) => [AlarmName]),
    handle: async ({ AlarmName, StateValue, StateReason, StateReasonData }, { api, account }) => {
      if (StateReasonData !== undefined) checkJson(StateReasonData);
      await api.alarms.setState(account, AlarmName, {
        state: StateValue as AlarmState,
        reason: StateReason,
        ...(StateReasonData === undefined ? {} : { reasonData: StateReasonData }),
      });
      return {};
    },
  }),
  EnableAlarmActions: operation({
    input: struct('EnableAlarmActionsInput', byNames),
    output: nothing,
    access: mayOn('EnableAlarmActions', names),
    handle: ({ AlarmNames }, scene) => enable(scene, AlarmNames, true),
  }),
  DisableAlarmActions: operation({
    input: struct('DisableAlarmActionsInput', byNames),
    output: nothing,
    access: mayOn('DisableAlarmActions', names),
    handle: ({ AlarmNames }, scene) => enable(scene, AlarmNames, false),
  }),
};

function checkJson(data: string): void {
  try {
    JSON.parse(data);
  } catch {
    throw new AwsError('InvalidFormatFault', 'StateReasonData was not syntactically valid JSON');
  }
}
