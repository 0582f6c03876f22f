import { requestTags } from '@slipway/auth/kit';

import { invalid } from '../../metrics/index.ts';
import { webhookOf } from '@slipway/auth/outbound';
import { parseRule } from '../composite/index.ts';
import { actionsOf } from './actions.ts';
import { type AlarmOperations, mayOn, operation } from './operation.ts';
import { checkName, tagsOf } from './put-metric.ts';
import { common, nothing, number, refused, required, struct, tagList, text } from './shapes.ts';
import { alarmTags } from './tags.ts';

const unsuppressed = 'Name the other alarm in AlarmRule: ALARM(a) AND NOT ALARM(b).';

export const putCompositeOperations: AlarmOperations = {
  PutCompositeAlarm: operation({
    input: struct('PutCompositeAlarmInput', {
      AlarmName: required(text),
      ...common,
      AlarmRule: required(text),
      Tags: tagList,
      ActionsSuppressor: refused(text, unsuppressed),
      ActionsSuppressorWaitPeriod: refused(number, unsuppressed),
      ActionsSuppressorExtensionPeriod: refused(number, unsuppressed),
    }),
    output: nothing,
    access: mayOn(
      'PutCompositeAlarm',
      ({ AlarmName }) => [AlarmName],
      ({ Tags }) => requestTags(tagsOf(Tags)),
    ),
    handle: async (given, scene) => {
      checkName(given.AlarmName);
      parseRule(given.AlarmRule);
      const actions = actionsOf(given, scene);
      const other = Object.values(actions)
        .flat()
        .find((action) => webhookOf(action) === undefined);
      if (other !== undefined)
        throw invalid(
          `Invalid action '${other}'. Composite alarms cannot scale services: name the policy in a metric alarm.`,
        );
      const { AlarmDescription: description } = given;
      await scene.api.alarms.put(
        scene.account,
        {
          name: given.AlarmName,
          ...(description === undefined ? {} : { description }),
          actionsEnabled: given.ActionsEnabled ?? true,
          actions,
          subject: { kind: 'composite', rule: given.AlarmRule },
        },
        alarmTags.parse(given.Tags),
      );
      return {};
    },
  }),
};
