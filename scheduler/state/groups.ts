import { ec2InstanceId } from './ids.ts';
import type { InstanceRecord } from './records/instances.ts';

/**
 * What a host says of itself, by its agent, that is of an Auto Scaling group: the group's name. Tasks of the group's capacity provider run
 * on such hosts alone.
 */
export const groupAttribute = 'slipway.auto-scaling-group';

/**
 * The Auto Scaling group that a host is a machine of. Whoever may register a host may have it say that it is of a group: a machine has registered with
 * a session that is called by its id, which nobody is let in with but the host that has joined as it.
 * @returns undefined for every other host, whatever it says
 */
export function groupOfMachine({
  id,
  ownerArn,
  attributes,
}: Pick<InstanceRecord, 'id' | 'ownerArn' | 'attributes'>): string | undefined {
  const session = /:assumed-role\/[^/]+\/([^/]+)$/.exec(ownerArn)?.[1];
  return session === ec2InstanceId(id) ? attributes.find(({ name }) => name === groupAttribute)?.value : undefined;
}
