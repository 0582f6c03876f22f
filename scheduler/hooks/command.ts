import { type AccessRequest, AwsError } from '@slipway/auth/contract';

import { type ClusterRef, type EcsPorts, groupOf } from '../cluster/index.ts';
import { nextProviders, startedAs } from '../deployments/index.ts';
import { callOf, checkHookDefinition } from '../services/index.ts';
import { arns, type ServiceRecord, type TaskDefinitionRecord, type TaskRecord } from '../state/index.ts';
import {
  activeDefinition,
  bodyOf,
  checkLaunch,
  checkOverrides,
  containersOf,
  passRoles,
  placementDemand,
  rolesOf,
  runTasks,
} from '../tasks/index.ts';
import type { AskedHook } from './asked.ts';
import type { HookPayload } from './payload.ts';
import type { HookPorts } from './ports.ts';

/** What became of the start of a command task. */
export type CommandStart =
  | { readonly task: TaskRecord }
  /** There is no room now, or no host: it may be tried again. */
  | { readonly noRoom: string }
  /** It will never be started; why, for people. */
  | { readonly refused: string };

const mark = 'ecs-hook/';

/** The asking that a command task was started for, by what started it. */
export const runOf = ({ startedBy, clientToken }: TaskRecord): string | undefined =>
  startedBy?.startsWith(mark) === true && startedBy.slice(mark.length) === clientToken ? clientToken : undefined;

/** A task that is run once for its exit code. */
export interface Command {
  readonly taskDefinition: string;
  /** The client token: the same command again finds the task that runs already. */
  readonly token: string;
  readonly startedBy: string;
  /** What every container is told. */
  readonly environment: readonly { readonly name: string; readonly value: string }[];
  /** Why whoever it is run for may not, now; undefined when they may. */
  readonly refusal: (definition: TaskDefinitionRecord) => Promise<string | undefined>;
  /** Where it may be. @throws AwsError when its definition is not for that */
  readonly launch: (definition: TaskDefinitionRecord) => ReturnType<typeof launchOf>;
}

/**
 * Starts the task of an asking, as RunTask does for the hook's role. It runs where tasks of the deployment run, in their subnets and groups.
 * @throws StoreUnavailable
 */
export function startCommand(
  ports: HookPorts,
  ref: ClusterRef,
  { service, deployment, run, hook }: AskedHook,
  payload: HookPayload,
): Promise<CommandStart> {
  if (hook.target.type !== 'task') throw new TypeError('the hook has no task');
  return runCommand(ports, ref, {
    taskDefinition: hook.target.taskDefinition,
    token: run.id,
    startedBy: `${mark}${run.id}`,
    environment: environmentOf(payload),
    refusal: (definition) => refusalOf(ports, ref, { service, run, hook }, definition),
    launch: (definition) => launchOf(ref, startedAs(service, deployment), definition),
  });
}

/**
 * Starts a command once, however often it is called with its token.
 * @throws StoreUnavailable
 */
export async function runCommand(
  ports: Pick<HookPorts, keyof EcsPorts | 'placer'>,
  ref: ClusterRef,
  command: Command,
): Promise<CommandStart> {
  try {
    const definition = await activeDefinition(ports, ref.account, command.taskDefinition);
    checkHookDefinition(definition);
    const denied = await command.refusal(definition);
    if (denied !== undefined) return { refused: denied };
    const launch = await command.launch(definition);
    const environment = [...command.environment];
    const overrides = checkOverrides(
      { containerOverrides: containersOf(bodyOf(definition)).map(({ name }) => ({ name, environment })) },
      bodyOf(definition),
    );
    const request = {
      definition,
      group: `family:${definition.family}`,
      startedBy: command.startedBy,
      tags: {},
      launchType: launch.launchType,
      network: launch.network,
      enableExecuteCommand: false,
      demands: [placementDemand(definition, launch)],
      ...(overrides === undefined ? {} : { overrides }),
      token: { value: command.token, request: command.token },
    };
    const { tasks, failures } = await placing(() => runTasks(ports, ports.placer, ref, request));
    const [task] = tasks;
    if (task !== undefined) return { task };
    // The token got through and its task is not in the records any more.
    return failures[0] === undefined ? { refused: 'its task is gone' } : { noRoom: failures[0].message };
  } catch (error) {
    if (error instanceof AwsError) return { refused: error.message };
    throw error;
  }
}

/** A cluster without hosts refuses what one without room only fails: hosts come. */
async function placing(run: () => ReturnType<typeof runTasks>): ReturnType<typeof runTasks> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof AwsError) || error.code !== 'InvalidParameterException') throw error;
    return { tasks: [], failures: [{ code: 'EMPTY', message: error.message }] };
  }
}

/** What a command task that has ended says: the exit code of its essential container decides. */
export function outcomeOf(task: TaskRecord): { readonly reason?: string } {
  const essential = task.containers.find((container) => container.essential);
  if (task.stopCode !== 'EssentialContainerExited' || essential === undefined) {
    return { reason: `its task ${task.id} stopped: ${task.stoppedReason ?? task.stopCode ?? 'nobody knows why'}` };
  }
  const { name, exitCode, reason } = essential;
  if (exitCode === 0) return {};
  const why = reason === undefined ? '' : ` (${reason})`;
  return { reason: `container ${name} of its task ${task.id} exited with code ${exitCode ?? 'unknown'}${why}` };
}

/** Why the hook's role may not run the task, now; undefined when it may. */
async function refusalOf(
  ports: HookPorts,
  ref: ClusterRef,
  { service, run, hook }: Omit<AskedHook, 'deployment'>,
  definition: TaskDefinitionRecord,
): Promise<string | undefined> {
  if (hook.roleArn === undefined) return 'it has no roleArn: name the role whose rights its task is run with';
  const principal = await ports.takeRole({ roleArn: hook.roleArn, sessionName: run.id, sourceArn: service.arn });
  const call = callOf(ports, principal);
  for (const access of runAccess(ports, ref, definition)) {
    const { allowed, reason } = await ports.authorizer.authorize(principal, access, call);
    if (!allowed) return `${hook.roleArn} may not ${access.action} on ${access.resources[0]?.arn ?? '*'}: ${reason}`;
  }
  return undefined;
}

/** What RunTask of a definition needs. */
export const runAccess = (
  ports: Pick<EcsPorts, 'region'>,
  ref: ClusterRef,
  definition: TaskDefinitionRecord,
): [AccessRequest, ...AccessRequest[]] => [
  {
    action: 'ecs:RunTask',
    resources: [{ arn: definition.arn, tags: definition.tags }],
    context: { 'ecs:cluster': arns.cluster(ports.region, ref.account, ref.cluster) },
  },
  ...passRoles(rolesOf(definition)),
];

/** Where the task may be: where the deployment's own tasks are. @throws InvalidParameterException when its definition is not for that */
async function launchOf(ref: ClusterRef, service: ServiceRecord, definition: TaskDefinitionRecord) {
  const { capacityProviderStrategy: strategy } = service;
  const own = bodyOf(definition).networkMode === 'awsvpc';
  const { subnets, securityGroups, assignPublicIp } = service.network ?? {};
  const network = await checkLaunch(
    { resolve: () => Promise.resolve(service.network as NonNullable<typeof service.network>) },
    ref.account,
    definition,
    service.launchType,
    own && service.network !== undefined
      ? {
          networkConfiguration: {
            awsvpcConfiguration: {
              subnets: [...(subnets ?? [])],
              securityGroups: [...(securityGroups ?? [])],
              assignPublicIp,
            },
          },
        }
      : {},
  );
  const [capacityProvider] = strategy === undefined ? [] : nextProviders(strategy, {}, 1);
  return {
    kind: 'standalone' as const,
    launchType: service.launchType,
    capacityProvider,
    group: groupOf(strategy ?? [], capacityProvider),
    network,
    constraints: [],
    strategies: [],
  };
}

/** What containers of a command task are told; documented in the README. */
const environmentOf = (payload: HookPayload): { name: string; value: string }[] => [
  { name: 'SLIPWAY_HOOK', value: JSON.stringify(payload) },
  { name: 'SLIPWAY_HOOK_EXECUTION', value: payload.executionId },
  { name: 'SLIPWAY_HOOK_STAGE', value: payload.lifecycleStage },
  { name: 'SLIPWAY_HOOK_DEPLOYMENT', value: payload.resourceArn },
];
