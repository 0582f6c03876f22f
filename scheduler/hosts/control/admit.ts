import type { AccessList, Call } from '@slipway/auth/contract';

import { findInstance, parseArn, parseCluster } from '../../cluster/index.ts';
import { arns } from '../../state/index.ts';

import type { InstanceRef } from './connections.ts';
import type { AgentControlOptions } from './options.ts';
import { notOwner } from './owner.ts';

/** Why a connection is refused, as agents expect it on this one. */
export class ConnectionRefused extends Error {
  override readonly name = 'ConnectionRefused';
  readonly status: 400 | 403;
  /** `InactiveInstanceException`, … */
  readonly exception: string;
  constructor(status: 400 | 403, exception: string, message: string) {
    super(message);
    this.status = status;
    this.exception = exception;
  }
}

/** The instance that a connection is for. @throws ConnectionRefused */
export async function admit(
  options: AgentControlOptions,
  parameter: string,
  query: URLSearchParams,
  call: Call,
): Promise<InstanceRef> {
  const ref = instanceRef(query.get(parameter) ?? '', { account: call.account, region: options.region });
  if (ref === undefined) {
    const message = `${parameter} must be the ARN of a container instance of your account.`;
    throw new ConnectionRefused(400, 'InvalidInstanceException', message);
  }
  const instance = await findInstance(options, ref, ref.id);
  if (instance === undefined || instance.status === 'INACTIVE') {
    const message = `The container instance ${ref.id} is not registered.`;
    throw new ConnectionRefused(400, 'InactiveInstanceException', message);
  }
  const why = notOwner(instance, call);
  if (why !== undefined) {
    const message = `The container instance ${ref.id} is not the caller's: ${why}.`;
    throw new ConnectionRefused(403, 'AccessDeniedException', message);
  }
  return ref;
}

/** What an agent must be allowed to connect. @param arn the container instance that it names, whatever that is */
export function connectAccess(
  { region }: Pick<AgentControlOptions, 'region'>,
  action: string,
  arn: string,
  call: Call,
): AccessList {
  const cluster = /:container-instance\/([^/]+)\//.exec(arn)?.[1] ?? 'default';
  return [
    {
      action,
      resources: [{ arn: arn.startsWith('arn:') ? arn : '*' }],
      context: { 'ecs:cluster': arns.cluster(region, call.account, cluster) },
    },
  ];
}

function instanceRef(arn: string, home: { account: string; region: string }): InstanceRef | undefined {
  try {
    const { type, path } = parseArn(arn, home);
    const [cluster = '', id, ...rest] = path;
    if (type !== 'container-instance' || id === undefined || rest.length > 0) return undefined;
    return { account: home.account, cluster: parseCluster(cluster, home), id };
  } catch {
    return undefined;
  }
}
