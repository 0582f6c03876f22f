import type * as ecs from '@aws-sdk/client-ecs';
import type { AccessList, AccessRequest, Call, Operations } from '@slipway/auth/contract';

import { invalidParameter, parseCluster, parseMember } from '../../cluster/index.ts';
import { arns, clusterKeys, clusterPartition, type InstanceRecord } from '../../state/index.ts';

import type { AgentControlOptions } from './options.ts';
import { requireOwner } from './owner.ts';
import { registerContainerInstance } from './register.ts';
import { submitContainerStateChange, submitTaskStateChange } from './submit.ts';

/** Where the two WebSockets live below the endpoint; agents add `/ws`. */
export const controlPath = '/agent/acs';
export const telemetryPath = '/agent/tcs';

export type AgentOperations = Required<
  Pick<
    Operations<typeof ecs>,
    | 'RegisterContainerInstance'
    | 'DiscoverPollEndpoint'
    | 'SubmitTaskStateChange'
    | 'SubmitContainerStateChange'
    | 'SubmitAttachmentStateChanges'
  >
>;

/** The operations that agents call, for the table of the ECS service. */
export function agentOperations(options: AgentControlOptions): AgentOperations {
  const onCluster =
    (action: string) =>
    (input: { readonly cluster?: string | undefined }, call: Call): AccessList => {
      const cluster = parseCluster(input.cluster, { account: call.account, region: options.region });
      const arn = arns.cluster(options.region, call.account, cluster);
      return [{ action: `ecs:${action}`, resources: [{ arn }], context: { 'ecs:cluster': arn } }];
    };
  return {
    RegisterContainerInstance: {
      access: (input, call) => [
        ...onCluster('RegisterContainerInstance')(input, call),
        ...tagging(options, input, call),
      ],
      handle: (input, call) => registerContainerInstance(options, input, call),
    },
    DiscoverPollEndpoint: {
      access: (input, call) => [
        {
          action: 'ecs:DiscoverPollEndpoint',
          resources: [{ arn: input.containerInstance?.startsWith('arn:') ? input.containerInstance : '*' }],
          context: {
            'ecs:cluster': arns.cluster(
              options.region,
              call.account,
              parseCluster(input.cluster, { account: call.account, region: options.region }),
            ),
          },
        },
      ],
      handle: async (input, call) => {
        if (input.containerInstance !== undefined) await ownedInstance(options, input, call);
        return { endpoint: `${call.endpoint}${controlPath}`, telemetryEndpoint: `${call.endpoint}${telemetryPath}` };
      },
    },
    SubmitTaskStateChange: {
      access: onCluster('SubmitTaskStateChange'),
      handle: (input, call) => submitTaskStateChange(options, input, call),
    },
    SubmitContainerStateChange: {
      access: onCluster('SubmitContainerStateChange'),
      handle: (input, call) => submitContainerStateChange(options, input, call),
    },
    SubmitAttachmentStateChanges: {
      access: onCluster('SubmitAttachmentStateChanges'),
      // No attachment is ever handed to an agent (no task ENIs, no EBS volumes), so a report about one is a mistake.
      handle: (input) => {
        const [first] = input.attachments ?? [];
        if (first !== undefined) {
          return Promise.reject(invalidParameter(`The attachment ${first.attachmentArn ?? ''} is not known.`));
        }
        return Promise.resolve({ acknowledgment: 'ACCEPT' });
      },
    },
  };
}

/** Tags at registration need ecs:TagResource as well, which the managed policy of container instances allows for it. */
function tagging(
  options: AgentControlOptions,
  input: {
    readonly cluster?: string | undefined;
    readonly tags?: readonly { key?: string | undefined; value?: string | undefined }[] | undefined;
  },
  call: Call,
): AccessRequest[] {
  if (input.tags === undefined || input.tags.length === 0) return [];
  const cluster = parseCluster(input.cluster, { account: call.account, region: options.region });
  return [
    {
      action: 'ecs:TagResource',
      resources: [{ arn: arns.containerInstance(options.region, call.account, cluster, '*') }],
      context: {
        'ecs:CreateAction': 'RegisterContainerInstance',
        'aws:TagKeys': input.tags.map(({ key = '' }) => key),
        ...Object.fromEntries(input.tags.map(({ key = '', value = '' }) => [`aws:RequestTag/${key}`, value])),
      },
    },
  ];
}

async function ownedInstance(
  options: AgentControlOptions,
  input: { readonly cluster?: string | undefined; readonly containerInstance?: string | undefined },
  call: Call,
): Promise<void> {
  const home = { account: call.account, region: options.region };
  const cluster = parseCluster(input.cluster, home);
  const id = parseMember('container-instance', input.containerInstance ?? '', cluster, home);
  const stored = await options.records.get<InstanceRecord>(
    clusterPartition(call.account, cluster),
    clusterKeys.instance(id),
  );
  if (stored === undefined)
    throw invalidParameter(`The container instance ${id} is not registered in cluster ${cluster}.`);
  requireOwner(stored.value, call);
}
