import type { Tag } from '@aws-sdk/client-ecs';
import type { AccessRequest, ConditionContext, ResourceRef } from '@slipway/auth/contract';

import { parseArn, requestTags as ofTags, tagsAsSent } from '@slipway/auth/kit';

import {
  type ClusterRef,
  type EcsPorts,
  findCluster,
  findInstance,
  findProvider,
  invalidParameter,
} from '../cluster/index.ts';
import { findService } from '../services/index.ts';
import { arns, type TaskDefinitionRecord } from '../state/index.ts';
import { findDefinition, findTasks } from '../tasks/index.ts';

/** `ecs:cluster` for what happens inside a cluster. */
export const inCluster = (ports: EcsPorts, ref: ClusterRef): ConditionContext => ({
  'ecs:cluster': arns.cluster(ports.region, ref.account, ref.cluster),
});

/** `ecs:enable-execute-command`, when the request says whether there is to be ECS Exec. */
export const enablesExec = (input: { readonly enableExecuteCommand?: boolean | undefined }): ConditionContext =>
  input.enableExecuteCommand === undefined ? {} : { 'ecs:enable-execute-command': String(input.enableExecuteCommand) };

/** Condition keys of the tags that a request sets. */
export const requestTags = (tags: readonly Tag[] | undefined): ConditionContext => ofTags(tagsAsSent(tags));

/** Tags at creation need ecs:TagResource on what is created (account setting `tagResourceAuthorization`, always on here). */
export function tagOnCreate(action: string, arn: string, tags: readonly Tag[] | undefined): AccessRequest[] {
  if (tags === undefined || tags.length === 0) return [];
  return [
    {
      action: 'ecs:TagResource',
      resources: [{ arn }],
      context: { 'ecs:CreateAction': action, ...requestTags(tags) },
    },
  ];
}

export async function clusterResource(
  ports: Pick<EcsPorts, 'records' | 'region'>,
  ref: ClusterRef,
): Promise<ResourceRef> {
  const cluster = await findCluster(ports, ref);
  return resource(arns.cluster(ports.region, ref.account, ref.cluster), cluster?.tags);
}

/** A capacity provider by its name, whether or not there is one. */
export async function providerResource(ports: EcsPorts, account: string, name: string): Promise<ResourceRef> {
  const found = await findProvider(ports, account, name);
  return resource(arns.capacityProvider(ports.region, account, name), found?.tags);
}

export async function serviceResource(ports: EcsPorts, ref: ClusterRef, service: string): Promise<ResourceRef> {
  const found = await findService(ports, { ...ref, service });
  return resource(arns.service(ports.region, ref.account, ref.cluster, service), found?.tags);
}

export async function instanceResource(ports: EcsPorts, ref: ClusterRef, id: string): Promise<ResourceRef> {
  const found = await findInstance(ports, ref, id);
  return resource(arns.containerInstance(ports.region, ref.account, ref.cluster, id), found?.tags);
}

export async function taskResources(ports: EcsPorts, ref: ClusterRef, ids: readonly string[]): Promise<ResourceRef[]> {
  const tasks = await findTasks(ports, ref, ids);
  return ids.map((id) => resource(arns.task(ports.region, ref.account, ref.cluster, id), tasks.get(id)?.tags));
}

export const definitionResource = (definition: TaskDefinitionRecord): ResourceRef =>
  resource(definition.arn, definition.tags);

/**
 * What requests about a resource of the ECS API are judged by, from its ARN alone: its tags, where it is there, and the cluster it
 * is in. For explanations.
 */
export async function accessByArn(ports: EcsPorts, arn: string): Promise<Pick<AccessRequest, 'resources' | 'context'>> {
  const { service, account = '', resource: named = '' } = parseArn(arn) ?? {};
  const [, type = '', rest = ''] = service === 'ecs' ? (/^([a-z-]+)\/(.+)$/.exec(named) ?? []) : [];
  const [cluster = '', member = ''] = rest.split('/');
  const ref = { account, cluster };
  const inside = { context: inCluster(ports, ref) };
  switch (member === '' ? type : `${type}/`) {
    case 'cluster':
      return { resources: [await clusterResource(ports, ref)], ...inside };
    case 'service/':
      return { resources: [await serviceResource(ports, ref, member)], ...inside };
    case 'container-instance/':
      return { resources: [await instanceResource(ports, ref, member)], ...inside };
    case 'task/':
      return { resources: await taskResources(ports, ref, [member]), ...inside };
    case 'task-definition': {
      const [family = '', revision = ''] = rest.split(':');
      const found = await findDefinition(ports, account, {
        family,
        ...(/^\d+$/.test(revision) ? { revision: Number(revision) } : {}),
      });
      return { resources: [found === undefined ? { arn } : definitionResource(found)] };
    }
    default:
      return { resources: [{ arn }] };
  }
}

const resource = (arn: string, tags: ResourceRef['tags'] | undefined): ResourceRef => ({
  arn,
  ...(tags === undefined ? {} : { tags }),
});

/**
 * A list that must name something, and not too much.
 * @throws InvalidParameterException
 */
export function checkList<T>(what: string, items: readonly T[] | undefined, most: number): readonly T[] {
  if (items === undefined || items.length === 0) throw invalidParameter(`${what} cannot be empty.`);
  if (items.length > most) throw invalidParameter(`${what} can have at most ${most} items, not ${items.length}.`);
  return items;
}
