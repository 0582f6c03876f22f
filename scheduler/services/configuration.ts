import type {
  DeploymentAlarms as WireAlarms,
  DeploymentCircuitBreaker,
  DeploymentConfiguration as Wire,
} from '@aws-sdk/client-ecs';

import { type EcsPorts, invalidParameter, refuseMembers } from '../cluster/index.ts';
import { alarmKeys, alarmsPartition } from '../signals/alarms/store/index.ts';
import type { CircuitBreaker, DeploymentAlarms, DeploymentConfiguration, ServiceRecord } from '../state/index.ts';
import type { HookPlace } from './hooks.ts';
import { parseShift, strategyView } from './strategy.ts';

/** What ECS assumes when CreateService says nothing (a daemon is replaced by stopping first). */
export const defaultConfiguration = (strategy: ServiceRecord['schedulingStrategy']): DeploymentConfiguration =>
  strategy === 'DAEMON'
    ? { maximumPercent: 100, minimumHealthyPercent: 0 }
    : { maximumPercent: 200, minimumHealthyPercent: 100 };

/**
 * The deployment configuration of a request over the one there is; members that are left out stay.
 * @throws InvalidParameterException
 */
export function parseConfiguration(
  input: Wire | undefined,
  current: DeploymentConfiguration,
  strategy: ServiceRecord['schedulingStrategy'],
  place: HookPlace,
): DeploymentConfiguration {
  if (input === undefined) return current;
  refuseMembers(
    input,
    {
      earlySuccessCriteria: 'Remove the member: a rollout succeeds when all of its tasks are healthy.',
    },
    'deploymentConfiguration.',
  );
  const maximumPercent = percent('maximumPercent', input.maximumPercent) ?? current.maximumPercent;
  const minimumHealthyPercent =
    percent('minimumHealthyPercent', input.minimumHealthyPercent) ?? current.minimumHealthyPercent;
  if (strategy === 'DAEMON' && maximumPercent !== 100) {
    throw invalidParameter(
      'The daemon scheduling strategy does not support values above 100 for maximumPercent: use 100.',
    );
  }
  if (maximumPercent < 100 && strategy === 'REPLICA') {
    throw invalidParameter(`maximumPercent must be at least 100, not ${maximumPercent}.`);
  }
  if (minimumHealthyPercent > 100 && minimumHealthyPercent >= maximumPercent) {
    throw invalidParameter('minimumHealthyPercent above 100 must be less than maximumPercent.');
  }
  const alarms = input.alarms === undefined ? current.alarms : parseAlarms(input.alarms);
  const breaker = input.deploymentCircuitBreaker;
  const circuitBreaker = breaker === undefined ? current.circuitBreaker : parseBreaker(breaker);
  return {
    maximumPercent,
    minimumHealthyPercent,
    ...(circuitBreaker === undefined ? {} : { circuitBreaker }),
    ...(alarms === undefined ? {} : { alarms }),
    ...parseShift(input, current, strategy, place, alarms?.enable === true),
  };
}

function percent(member: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= 2_147_483_647)) return value;
  throw invalidParameter(`${member} must be a whole number that is not negative, not ${value}.`);
}

function parseBreaker(input: DeploymentCircuitBreaker): CircuitBreaker {
  const { enable = false, rollback = false, resetOnHealthyTask = true, thresholdConfiguration: threshold } = input;
  if (rollback && !enable) {
    throw invalidParameter('deploymentCircuitBreaker.rollback needs deploymentCircuitBreaker.enable.');
  }
  const type = threshold?.type ?? 'BOUNDED_PERCENT';
  const value = threshold?.value ?? 50;
  if (type !== 'BOUNDED_PERCENT' && type !== 'UNBOUNDED_PERCENT' && type !== 'COUNT') {
    throw invalidParameter(
      `thresholdConfiguration.type must be BOUNDED_PERCENT, UNBOUNDED_PERCENT or COUNT, not '${String(type)}'.`,
    );
  }
  if (!Number.isInteger(value) || value < 1) {
    throw invalidParameter(`thresholdConfiguration.value must be a whole number of at least 1, not ${value}.`);
  }
  return { enable, rollback, resetOnHealthyTask, threshold: { type, value } };
}

/** Alarms that one deployment may name. */
const mostAlarms = 100;

/** Whether they exist is another question: {@link checkAlarms}. */
function parseAlarms({ alarmNames = [], enable = false, rollback = false }: WireAlarms): DeploymentAlarms {
  const names = [...new Set(alarmNames)];
  if (enable && names.length === 0)
    throw invalidParameter('alarms.alarmNames must name at least one alarm while alarms.enable is true.');
  if (names.length > mostAlarms) throw invalidParameter(`alarms.alarmNames has at most ${mostAlarms} names.`);
  if (rollback && !enable) throw invalidParameter('alarms.rollback needs alarms.enable.');
  return { alarmNames: names, enable, rollback };
}

/**
 * Refuses a request whose deployments would fail by alarms that are not there.
 * @throws InvalidParameterException
 */
export async function checkAlarms(
  ports: Pick<EcsPorts, 'records'>,
  account: string,
  alarms: WireAlarms | undefined,
): Promise<void> {
  if (alarms?.enable !== true) return;
  const names = (alarms.alarmNames ?? []).slice(0, mostAlarms);
  const found = await ports.records.getMany(alarmsPartition(account), names.map(alarmKeys.alarm));
  const missing = names.filter((name) => !found.has(alarmKeys.alarm(name)));
  if (missing.length === 0) return;
  throw invalidParameter(
    `The following alarms do not exist: ${missing.slice(0, 10).join(', ')}. Create them with PutMetricAlarm or PutCompositeAlarm first.`,
  );
}

/** A deployment configuration as DescribeServices gives it back. */
export function configurationView(configuration: DeploymentConfiguration): Wire {
  const { circuitBreaker: breaker } = configuration;
  return {
    deploymentCircuitBreaker:
      breaker?.enable === true
        ? {
            enable: true,
            rollback: breaker.rollback,
            resetOnHealthyTask: breaker.resetOnHealthyTask,
            thresholdConfiguration: { ...breaker.threshold },
          }
        : { enable: false, rollback: false },
    maximumPercent: configuration.maximumPercent,
    minimumHealthyPercent: configuration.minimumHealthyPercent,
    ...(configuration.alarms === undefined
      ? {}
      : { alarms: { ...configuration.alarms, alarmNames: [...configuration.alarms.alarmNames] } }),
    ...strategyView(configuration),
  };
}
