import type { AlarmConfiguration } from '@aws-sdk/client-codedeploy';

import type { Shifting } from '../state/index.ts';

import { refuse } from './errors.ts';
import type { GroupAlarms, RollbackEvent } from './records.ts';

const mostAlarms = 10;
const longestName = 255;

/**
 * The alarms that stop deployments. As in CodeDeploy, whether they exist is asked when a deployment is under way.
 * @throws AlarmsLimitExceededException, InvalidAlarmConfigException
 */
export function parseAlarms(given: AlarmConfiguration | undefined): GroupAlarms | undefined {
  if (given === undefined) return undefined;
  const { alarms = [], enabled = false, ignorePollAlarmFailure = false } = given;
  if (alarms.length > mostAlarms)
    throw refuse('AlarmsLimitExceeded', `A deployment group has at most ${mostAlarms} alarms.`);
  const names = alarms.map(({ name = '' }) => name);
  const bad = names.find((name) => name === '' || name.length > longestName);
  if (bad !== undefined)
    throw invalid(`Each of alarmConfiguration.alarms needs a name of 1 to ${longestName} characters.`);
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  if (twice !== undefined) throw invalid(`alarmConfiguration.alarms names ${twice} twice.`);
  if (enabled && names.length === 0)
    throw invalid('alarmConfiguration.alarms must name an alarm while alarmConfiguration.enabled is true.');
  return { ...(enabled ? { enabled } : {}), names, ignorePollAlarmFailure };
}

const invalid = (message: string): Error => refuse('InvalidAlarmConfig', message);

/** As groups and deployments give it back. */
export const alarmsView = ({ enabled, names, ignorePollAlarmFailure }: GroupAlarms): AlarmConfiguration => ({
  enabled: enabled === true,
  ignorePollAlarmFailure,
  alarms: names.map((name) => ({ name })),
});

/** What stops a deployment of the service so; undefined where nothing does. */
export const stoppingAlarms = (
  alarms: GroupAlarms | undefined,
  rollback: readonly RollbackEvent[],
): NonNullable<Shifting['codeDeploy']>['alarms'] =>
  alarms?.enabled === true
    ? {
        alarmNames: alarms.names,
        rollback: rollback.includes('DEPLOYMENT_STOP_ON_ALARM'),
        ignoreMissing: alarms.ignorePollAlarmFailure,
      }
    : undefined;
