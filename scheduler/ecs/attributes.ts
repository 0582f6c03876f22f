import type { Attribute } from '@aws-sdk/client-ecs';
import type { AccessList, Call } from '@slipway/auth/contract';

import {
  activeCluster,
  type ClusterRef,
  deleteAttributes,
  invalidParameter,
  listInstances,
  parseMember,
  putAttributes,
} from '../cluster/index.ts';
import { arns } from '../state/index.ts';
import { checkList, inCluster, instanceResource } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

/** PutAttributes, DeleteAttributes and ListAttributes. */
export function attributeOperations(options: EcsApi): EcsOperations {
  const allow = async (
    action: string,
    input: { readonly cluster?: string | undefined; readonly attributes?: readonly Attribute[] | undefined },
    call: Call,
  ): Promise<AccessList> => {
    const ref = clusterOf(options, call, input.cluster);
    const targets = new Set(checkList('Attributes', input.attributes, 10).map(({ targetId = '' }) => targetId));
    const resources = [...targets].map((target) =>
      instanceResource(options, ref, parseMember('container-instance', target, ref.cluster, homeOf(options, call))),
    );
    return [{ action: `ecs:${action}`, resources: await Promise.all(resources), context: inCluster(options, ref) }];
  };
  const withArns = (ref: ClusterRef, attributes: readonly Attribute[], call: Call): Attribute[] =>
    attributes.map((attribute) => {
      const id = parseMember('container-instance', attribute.targetId ?? '', ref.cluster, homeOf(options, call));
      return { ...attribute, targetId: arns.containerInstance(options.region, ref.account, ref.cluster, id) };
    });
  return {
    PutAttributes: {
      access: (input, call) => allow('PutAttributes', input, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const attributes = input.attributes ?? [];
        await putAttributes(options, ref, attributes);
        return { attributes: withArns(ref, attributes, call) };
      },
    },
    DeleteAttributes: {
      access: (input, call) => allow('DeleteAttributes', input, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const attributes = input.attributes ?? [];
        await deleteAttributes(options, ref, attributes);
        return { attributes: withArns(ref, attributes, call) };
      },
    },
    ListAttributes: {
      access: (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const arn = arns.cluster(options.region, ref.account, ref.cluster);
        return [{ action: 'ecs:ListAttributes', resources: [{ arn }], context: inCluster(options, ref) }];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        if (input.targetType !== 'container-instance') {
          throw invalidParameter(`targetType must be container-instance, not '${String(input.targetType)}'.`);
        }
        const { attributeName, attributeValue } = input;
        const scope = ['ListAttributes', ref.cluster, attributeName, attributeValue];
        const after = (await options.pages.start(call.account, scope, input)) ?? '';
        const rows = (await listInstances(options, ref))
          .filter(({ status }) => status !== 'INACTIVE')
          .flatMap((instance) => instance.attributes.map((attribute) => ({ instance, ...attribute })))
          .map((value) => ({ key: `${value.instance.id} ${value.name}`, value }))
          .sort((a, b) => (a.key < b.key ? -1 : 1))
          .filter(({ key }) => key > after);
        const { items, ...more } = await options.pages.page(
          call.account,
          scope,
          input,
          rows,
          ({ instance, name, value }) =>
            (attributeName === undefined || name === attributeName) &&
            (attributeValue === undefined || value === attributeValue)
              ? { name, targetId: instance.arn, ...(value === undefined ? {} : { value }) }
              : undefined,
        );
        return { attributes: items, ...more };
      },
    },
  };
}
