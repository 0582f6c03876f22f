import { createHmac } from 'node:crypto';

import { changeInstance, findInstance, parseArn } from '../../cluster/index.ts';
import { clusterKeys, clusterPartition, isWanted, type TaskRecord } from '../../state/index.ts';

import type { InstanceRef } from './connections.ts';
import type { AgentControlOptions } from './options.ts';

/** Names this installation on containers: two that share an engine must not take each other's for their own. */
export const installationId = ({ credentialIdKey }: Pick<AgentControlOptions, 'credentialIdKey'>): string =>
  createHmac('sha256', credentialIdKey).update('installation').digest('hex').slice(0, 32);

/** Candidates of one message that are looked up; the rest comes with the agent's next one. */
const atOnce = 500;

/** {@link AgentControlOptions.abandonAfter} when it is not given: a minute after tasks of such a host are replaced. */
const abandonAfter = 6 * 60_000;

/**
 * Which of the tasks that an agent has containers of it may end, none of which its instance is known to want. Those of another
 * instance are what an agent on the same engine left whose data folder was lost, unless that agent lives: they stay while
 * the records want them and their agent may be back, or is here. What another agent left is noted in the record of the instance, for
 * whoever asks how the host is.
 * @param awayFor for how many milliseconds this server has known, by its own watch, that the agent of an instance is away
 * @returns `undecided` when the answer may soon be another one
 */
export async function verifyStops(
  options: AgentControlOptions,
  ref: InstanceRef,
  candidates: readonly string[],
  awayFor: (instanceId: string) => number,
): Promise<{ readonly stop: readonly string[]; readonly undecided: boolean }> {
  const stop: string[] = [];
  const left: string[] = [];
  let ended = 0;
  let undecided = candidates.length > atOnce;
  for (const arn of candidates.slice(0, atOnce)) {
    const { may, stray } = await mayStop(options, ref, arn, awayFor);
    if (may === 'yes') stop.push(arn);
    else if (may === 'perhaps later') undecided = true;
    if (stray !== undefined && may === 'yes') ended += 1;
    else if (stray !== undefined) left.push(stray);
  }
  await noteStrays(options, ref, ended, left);
  return { stop, undecided };
}

/** @param left the instance of each task that stays */
async function noteStrays(
  options: AgentControlOptions,
  ref: InstanceRef,
  ended: number,
  left: readonly string[],
): Promise<void> {
  const of = [...new Set(left)].sort().slice(0, 5);
  await changeInstance(options, ref, ref.id, (instance) => {
    const before = instance.strays ?? { ended: 0, left: 0, of: [] };
    if (ended === 0 && before.left === left.length && before.of.join() === of.join()) return instance;
    const strays = { ended: before.ended + ended, left: left.length, of, at: options.clock.now() };
    return { ...instance, strays };
  });
}

/** Whether a task's containers may be ended, and of which instance it is when that is another one than the agent's. */
interface Answer {
  readonly may: 'yes' | 'no' | 'perhaps later';
  readonly stray?: string;
}

async function mayStop(
  options: AgentControlOptions,
  ref: InstanceRef,
  taskArn: string,
  awayFor: (instanceId: string) => number,
): Promise<Answer> {
  const { records } = options;
  const id = idIn(options, ref, taskArn);
  if (id === undefined) return { may: 'no' };
  const partition = clusterPartition(ref.account, ref.cluster);
  const task = (await records.get<TaskRecord>(partition, clusterKeys.task(id)))?.value;
  if (task?.instanceId === undefined) return { may: 'yes', stray: 'nobody' };
  const wanted = isWanted(task, options.clock.now());
  if (task.instanceId === ref.id) return { may: wanted ? 'no' : 'yes' };
  const stray = task.instanceId;
  const other = await findInstance(options, ref, task.instanceId);
  if (other === undefined || other.status === 'INACTIVE') return { may: 'yes', stray };
  // Its agent is alive and carries out itself what is wanted.
  if (other.connectionId !== undefined) return { may: 'perhaps later' };
  if (!wanted) return { may: 'yes', stray };
  if (awayFor(other.id) < (options.abandonAfter ?? abandonAfter)) return { may: 'perhaps later', stray };
  options.log.warn(
    { task: taskArn, of: other.id, foundBy: ref.id },
    'the agent of a container instance is away, and another one on its Docker engine ends what it left: its data folder was lost; deregister it',
  );
  return { may: 'yes', stray };
}

/** The id in the ARN of a task of this cluster; undefined for anything else. */
export function idIn(
  { region }: Pick<AgentControlOptions, 'region'>,
  { account, cluster }: InstanceRef,
  arn: string,
): string | undefined {
  try {
    const { type, path } = parseArn(arn, { account, region });
    const [owner, id, ...rest] = path;
    return type === 'task' && owner === cluster && rest.length === 0 ? id : undefined;
  } catch {
    return undefined;
  }
}
