import { type AccessList, AwsError, type Call, type ResourceRef } from '@slipway/auth/contract';
import { requestTagKeys, smallTagList } from '@slipway/auth/kit';
import { transact } from '@slipway/storage/records';

import {
  changeCluster,
  changeInstance,
  changeProvider,
  clientError,
  type ClusterRef,
  findCluster,
  findInstance,
  findProvider,
  invalidParameter,
  parseArn,
  ecsTags,
} from '../cluster/index.ts';
import {
  changeService,
  delegateOf,
  findService,
  followTag,
  judgeTag,
  restartTag,
  parseTaskSetId,
  primaryOf,
  type ServiceRef,
  tagTaskSet,
  rebalanceTag,
  updateAccess,
  withTags,
} from '../services/index.ts';
import {
  accountKeys,
  accountPartition,
  type Delegate,
  type Tags,
  type TaskDefinitionRecord,
  toJson,
} from '../state/index.ts';
import { changeTask, findDefinition, findTasks, parseDefinition } from '../tasks/index.ts';
import { requestTags } from './access.ts';
import { type EcsOperations, type EcsOptions, homeOf } from './options.ts';

/** Something that has tags. */
interface Tagged {
  read(): Promise<Tags | undefined>;
  /** Replaces the tags in one transaction. @param by who changes what the service follows; undefined when the change is not about that */
  change(change: (tags: Tags) => Tags, by: Delegate | undefined): Promise<void>;
  /** What setting or removing `slipway:follow` needs beside the right to tag: it says what the service runs. */
  readonly followAccess?: (sets: boolean) => Promise<AccessList>;
  /** The same of `slipway:judge`, which says when a deployment fails, of `slipway:restart-on-secrets`, which begins some, and of `slipway:rebalance`, which moves tasks. */
  readonly judgeAccess?: () => Promise<AccessList>;
}

/** TagResource, UntagResource and ListTagsForResource. */
export function tagOperations(options: EcsOptions): EcsOperations {
  const resource = async (arn: string | undefined, call: Call): Promise<ResourceRef> => {
    const tags = await tagged(options, arn ?? '', call).read();
    return { arn: arn ?? '', ...(tags === undefined ? {} : { tags }) };
  };
  const existing = async (arn: string | undefined, call: Call): Promise<Tagged> => {
    const found = tagged(options, arn ?? '', call);
    if ((await found.read()) === undefined) {
      throw new AwsError('ResourceNotFoundException', `The specified resource could not be found: ${arn ?? ''}.`);
    }
    return found;
  };
  const follows = async (arn: string | undefined, call: Call, keys: readonly string[] | undefined, sets: boolean) => {
    if (keys?.includes(followTag) === true) return (await tagged(options, arn ?? '', call).followAccess?.(sets)) ?? [];
    const decides = keys?.some((key) => [judgeTag, restartTag, rebalanceTag].includes(key)) === true;
    return decides ? ((await tagged(options, arn ?? '', call).judgeAccess?.()) ?? []) : [];
  };
  return {
    TagResource: {
      access: async (input, call) => [
        {
          action: 'ecs:TagResource',
          resources: [await resource(input.resourceArn, call)],
          context: requestTags(input.tags),
        },
        ...(await follows(
          input.resourceArn,
          call,
          input.tags?.map(({ key = '' }) => key),
          true,
        )),
      ],
      handle: async (input, call) => {
        const added = ecsTags.parse(input.tags);
        const found = await existing(input.resourceArn, call);
        await found.change((tags) => ecsTags.merge(tags, added), changerOf(call, Object.keys(added)));
        return {};
      },
    },
    UntagResource: {
      access: async (input, call) => [
        {
          action: 'ecs:UntagResource',
          resources: [await resource(input.resourceArn, call)],
          context: requestTagKeys(input.tagKeys),
        },
        ...(await follows(input.resourceArn, call, input.tagKeys, false)),
      ],
      handle: async (input, call) => {
        const gone = input.tagKeys ?? [];
        for (const key of gone) ecsTags.checkKey(key);
        const found = await existing(input.resourceArn, call);
        await found.change((tags) => ecsTags.without(tags, gone), changerOf(call, gone));
        return {};
      },
    },
    ListTagsForResource: {
      access: async (input, call) => [
        { action: 'ecs:ListTagsForResource', resources: [await resource(input.resourceArn, call)] },
      ],
      handle: async (input, call) => ({
        tags: smallTagList((await (await existing(input.resourceArn, call)).read()) ?? {}),
      }),
    },
  };
}

const changerOf = (call: Call, keys: readonly string[]): Delegate | undefined =>
  keys.includes(followTag) ? delegateOf(call.principal) : undefined;

/** Finds the kind of thing that an ARN names. @throws InvalidParameterException when it has no tags */
function tagged(options: EcsOptions, arn: string, call: Call): Tagged {
  const { type, path } = parseArn(arn, homeOf(options, call));
  const [first = '', second] = path;
  if (type === 'cluster') return clusterTags(options, { account: call.account, cluster: first });
  if (type === 'capacity-provider' && second === undefined) return providerTags(options, call.account, first);
  if (type === 'task-definition') return definitionTags(options, call.account, arn);
  const ref: ClusterRef = { account: call.account, cluster: first };
  if (type === 'task-set' && second !== undefined) return taskSetTags(options, { ...ref, service: second }, arn, call);
  if (second !== undefined) {
    if (type === 'service') return serviceTags(options, ref, second);
    if (type === 'task') return taskTags(options, ref, second);
    if (type === 'container-instance') return instanceTags(options, ref, second);
  }
  throw invalidParameter(
    `'${arn}' is not the ARN of a cluster, capacity provider, service, task set, task, task definition or container instance in the long format.`,
  );
}

const clusterTags = (options: EcsOptions, ref: ClusterRef): Tagged => ({
  read: async () => {
    const cluster = await findCluster(options, ref);
    return cluster?.status === 'ACTIVE' ? cluster.tags : undefined;
  },
  change: async (change) => {
    await changeCluster(options, ref, (cluster) => ({ ...cluster, tags: change(cluster.tags) }));
  },
});

const providerTags = (options: EcsOptions, account: string, name: string): Tagged => ({
  read: async () => (await findProvider(options, account, name))?.tags,
  change: async (change) => {
    await changeProvider(options, account, name, (provider) => ({ ...provider, tags: change(provider.tags) }));
  },
});

const serviceTags = (options: EcsOptions, ref: ClusterRef, service: string): Tagged => ({
  read: async () => {
    const found = await findService(options, { ...ref, service });
    return found === undefined || found.status === 'INACTIVE' ? undefined : found.tags;
  },
  change: async (change, by) => {
    await changeService(options, { ...ref, service }, (current) => withTags(current, change(current.tags), by), [
      'ACTIVE',
      'DRAINING',
    ]);
  },
  followAccess: async (runs) => {
    const found = await findService(options, { ...ref, service });
    const revision =
      runs && found !== undefined ? (primaryOf(found)?.taskDefinition ?? found.taskDefinition) : undefined;
    const definition =
      revision === undefined
        ? undefined
        : await findDefinition(options, ref.account, parseDefinition(revision, { ...ref, region: options.region }));
    return updateAccess(options, { ...ref, service }, found, definition);
  },
  judgeAccess: async () => {
    const place = { ...ref, service };
    return updateAccess(options, place, await findService(options, place), undefined);
  },
});

function taskSetTags(options: EcsOptions, ref: ServiceRef, arn: string, call: Call): Tagged {
  const id = parseTaskSetId(arn, ref, homeOf(options, call));
  return {
    read: async () => (await findService(options, ref))?.deployments.find((one) => one.id === id)?.taskSet?.tags,
    change: async (change) => {
      await tagTaskSet(options, ref, id, change);
    },
  };
}

const taskTags = (options: EcsOptions, ref: ClusterRef, id: string): Tagged => ({
  read: async () => (await findTasks(options, ref, [id])).get(id)?.tags,
  change: async (change) => {
    await changeTask(options, ref, id, (task) => ({ ...task, tags: change(task.tags), version: task.version + 1 }));
  },
});

const instanceTags = (options: EcsOptions, ref: ClusterRef, id: string): Tagged => ({
  read: async () => {
    const instance = await findInstance(options, ref, id);
    return instance === undefined || instance.status === 'INACTIVE' ? undefined : instance.tags;
  },
  change: async (change) => {
    await changeInstance(options, ref, id, (instance) => ({ ...instance, tags: change(instance.tags) }));
  },
});

function definitionTags(options: EcsOptions, account: string, arn: string): Tagged {
  const { family, revision } = parseDefinition(arn, { account, region: options.region });
  if (revision === undefined) throw clientError(`The revision is missing in '${arn}'.`);
  return {
    read: async () => (await findDefinition(options, account, { family, revision }))?.tags,
    change: (change) =>
      transact(options.records, accountPartition(account), async (tx) => {
        const key = accountKeys.taskDefinition(family, revision);
        const record = await tx.get<TaskDefinitionRecord>(key);
        if (record === undefined) throw clientError('The specified task definition does not exist.');
        tx.put(key, toJson({ ...record, tags: change(record.tags) }));
      }),
  };
}
