import type { Attribute } from '@aws-sdk/client-ecs';

import { AwsError } from '@slipway/auth/contract';

import { arns, type AttributeRecord, type InstanceRecord } from '../state/index.ts';
import type { ClusterRef, EcsPorts } from './ports.ts';
import { invalidParameter } from './errors.ts';
import { parseMember } from './identifiers.ts';
import { changeInstance } from './instances.ts';

/** Custom attributes that a container instance can have (ECS quota). */
export const customAttributesPerInstance = 10;

/** Whether callers own the attribute; the others come from the agent and the control plane. */
export const isCustomAttribute = (name: string): boolean => !reserved.some((prefix) => name.startsWith(prefix));

const reserved = ['ecs.', 'com.amazonaws.ecs.', 'slipway.'];

/**
 * Creates or replaces custom attributes of container instances, instance by instance.
 * @throws InvalidParameterException, TargetNotFoundException, AttributeLimitExceededException
 */
export async function putAttributes(ports: EcsPorts, ref: ClusterRef, attributes: readonly Attribute[]): Promise<void> {
  for (const attribute of attributes) checkAttribute(attribute);
  await eachTarget(ports, ref, attributes, (instance, given) => {
    const kept = instance.attributes.filter(({ name }) => !given.some((attribute) => attribute.name === name));
    const changed = [
      ...kept,
      ...given.map(({ name = '', value }): AttributeRecord => ({ name, ...(value === undefined ? {} : { value }) })),
    ];
    if (changed.filter(({ name }) => isCustomAttribute(name)).length > customAttributesPerInstance) {
      throw new AwsError(
        'AttributeLimitExceededException',
        `A container instance can have at most ${customAttributesPerInstance} custom attributes.`,
      );
    }
    return changed;
  });
}

/**
 * Removes custom attributes; those that are not there are not an error.
 * @throws InvalidParameterException, TargetNotFoundException
 */
export async function deleteAttributes(
  ports: EcsPorts,
  ref: ClusterRef,
  attributes: readonly Attribute[],
): Promise<void> {
  for (const attribute of attributes) checkAttribute(attribute);
  await eachTarget(ports, ref, attributes, (instance, given) =>
    instance.attributes.filter(({ name }) => !given.some((attribute) => attribute.name === name)),
  );
}

async function eachTarget(
  ports: EcsPorts,
  ref: ClusterRef,
  attributes: readonly Attribute[],
  change: (instance: InstanceRecord, given: readonly Attribute[]) => readonly AttributeRecord[],
): Promise<void> {
  const home = { account: ref.account, region: ports.region };
  const byTarget = Map.groupBy(attributes, ({ targetId }) => {
    if (targetId === undefined || targetId === '')
      throw invalidParameter('Every attribute needs a targetId: the id or ARN of a container instance.');
    return parseMember('container-instance', targetId, ref.cluster, home);
  });
  for (const [id, given] of byTarget) {
    const changed = await changeInstance(ports, ref, id, (instance) => ({
      ...instance,
      attributes: change(instance, given),
    }));
    if (changed === undefined) {
      throw new AwsError(
        'TargetNotFoundException',
        `The target ${arns.containerInstance(ports.region, ref.account, ref.cluster, id)} was not found in cluster ${ref.cluster}.`,
      );
    }
  }
}

function checkAttribute({ name, value, targetType }: Attribute): void {
  if ((targetType ?? 'container-instance') !== 'container-instance') {
    throw invalidParameter(`Unknown target type '${String(targetType)}': only container-instance has attributes.`);
  }
  checkAttributeName(name);
  if (!isCustomAttribute(name)) {
    throw invalidParameter(
      `Attribute names that start with 'ecs.', 'com.amazonaws.ecs.' or 'slipway.' are reserved: '${name}'.`,
    );
  }
  if (value !== undefined) checkAttributeValue(name, value);
}

/** Rules of the API reference, type Attribute. @throws InvalidParameterException */
export function checkAttributeValue(name: string, value: string): void {
  if (!/^[A-Za-z0-9_\-.@:/\\+](?:[A-Za-z0-9_\-.@:/\\+ ]{0,126}[A-Za-z0-9_\-.@:/\\+])?$/.test(value)) {
    throw invalidParameter(
      `Invalid value of attribute '${name}': use 1 to 128 letters, digits and - _ . @ : / \\ + and spaces, not at either end.`,
    );
  }
}

/** The same for names. @throws InvalidParameterException */
export function checkAttributeName(name: string | undefined): asserts name is string {
  if (name === undefined || !/^[A-Za-z0-9_\-/\\.]{1,128}$/.test(name)) {
    throw invalidParameter(`Invalid attribute name '${name ?? ''}': use 1 to 128 letters, digits and - _ / \\ .`);
  }
}
