import type { ExecuteCommandRequest } from '@aws-sdk/client-ecs';
import type { Call } from '@slipway/auth/contract';

import { splitCommand } from '../exec/protocol/index.ts';
import { execAccess, execTarget, streamUrl } from '../exec/sessions/index.ts';
import { activeCluster, type ClusterRef, invalidParameter } from '../cluster/index.ts';
import { arns, type TaskRecord } from '../state/index.ts';
import { containerArn, findTasks } from '../tasks/index.ts';
import { clusterOf, type EcsApi, type EcsOperations } from './options.ts';
import { taskId } from './tasks.ts';

/** Bytes and words of a command. */
const mostCommand = { bytes: 8 * 1024, words: 1_000 } as const;

/** ExecuteCommand. The session itself is in `exec/sessions`. */
export function execOperations(options: EcsApi): EcsOperations {
  const find = async (
    input: ExecuteCommandRequest,
    call: Call,
  ): Promise<{ readonly ref: ClusterRef; readonly id: string; readonly task: TaskRecord | undefined }> => {
    const ref = clusterOf(options, call, input.cluster);
    const id = taskId(input.task ?? '', ref, options, call);
    return { ref, id, task: (await findTasks(options, ref, [id])).get(id) };
  };
  return {
    ExecuteCommand: {
      access: async (input, call) => {
        const { ref, id, task } = await find(input, call);
        return [execAccess(options.region, ref, task ?? { id }, input.container ?? onlyContainer(task) ?? '')];
      },
      handle: async (input, call) => {
        const { ref, task } = await find(input, call);
        await activeCluster(options, ref);
        if (task === undefined) throw invalidParameter('The referenced task was not found.');
        const command = commandOf(input.command);
        const name = input.container ?? onlyContainer(task);
        if (name === undefined)
          throw invalidParameter('The task has several containers: name one of them with the member container.');
        const { runtimeId, instanceId } = await execTarget(options, ref, task, name);
        const interactive = input.interactive ?? false;
        const { sessionId, tokenValue } = await options.sessions.add(ref, {
          taskId: task.id,
          containerName: name,
          runtimeId,
          instanceId,
          command,
          interactive,
          principal: call.principal,
        });
        return {
          clusterArn: arns.cluster(options.region, ref.account, ref.cluster),
          taskArn: task.arn,
          containerArn: containerArn({ region: options.region, ...ref }, task.id, name),
          containerName: name,
          interactive,
          session: { sessionId, streamUrl: streamUrl(call.endpoint, ref, sessionId), tokenValue },
        };
      },
    },
  };
}

/** A task of one container needs no name of it. */
const onlyContainer = (task: TaskRecord | undefined): string | undefined =>
  task?.containers.length === 1 ? task.containers[0]?.name : undefined;

/** @throws InvalidParameterException */
function commandOf(text: string | undefined): string[] {
  if (text === undefined || Buffer.byteLength(text) > mostCommand.bytes)
    throw invalidParameter(`The command has 1 to ${mostCommand.bytes} bytes.`);
  const words = splitCommand(text);
  if (words === undefined) throw invalidParameter('The command has a quote that does not end.');
  if (words.length === 0 || words[0] === '' || words.length > mostCommand.words || text.includes('\0'))
    throw invalidParameter('The command names no program, or has too many words.');
  return words;
}
