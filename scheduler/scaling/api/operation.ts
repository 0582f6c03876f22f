import type { AccessList, ConditionContext } from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  arnOf,
  type Declared,
  declareOperation,
  type Pages,
  type Row,
  type SceneOf,
} from '@slipway/auth/kit';

import { type EcsPorts, isName, scan } from '../../cluster/index.ts';
import type { ServiceRef } from '../../services/index.ts';
import type { Alarms } from '../../signals/alarms/index.ts';
import { accountKeys, accountPartition, clusterPartition } from '../../state/index.ts';
import { dimension, findTarget, invalid, targetArn } from '../targets/index.ts';
import { operationSchema } from './shapes.ts';

/** What the operations work with. */
export interface ScalingApi extends EcsPorts {
  readonly alarms: Pick<Alarms, 'put' | 'delete' | 'states' | 'all'>;
  readonly pages: Pages;
}

export type Scene = SceneOf<ScalingApi>;
export type ScalingOperations = ApiOperations<ScalingApi>;

/** What is asked of this installation is nothing that it does. */
export const unsupported = (what: string, instead: string): Error =>
  invalid(`${what} is not supported by this installation. ${instead}`);

export const operation = <I, O>(declared: Declared<ScalingApi, I, O>): ApiOperation<ScalingApi> =>
  declareOperation({ operationSchema, unsupported }, declared);

/** What names one target. */
export interface TargetInput {
  readonly ServiceNamespace: string;
  readonly ResourceId: string;
  readonly ScalableDimension: string;
}

/** The service that a request names. @throws ValidationException for everything that is none */
export function serviceOf(
  { account }: Scene,
  { ServiceNamespace, ResourceId, ScalableDimension }: TargetInput,
): ServiceRef {
  if (ServiceNamespace !== 'ecs')
    throw unsupported(
      `The service namespace ${ServiceNamespace}`,
      'Services of ECS are scaled here (the namespace ecs).',
    );
  if (ScalableDimension !== dimension)
    throw invalid(
      `Unsupported service namespace, resource type or scalable dimension: use ${dimension} for the namespace ecs.`,
    );
  const ref = parseResource(account, ResourceId);
  if (ref === undefined)
    throw invalid(
      `Unsupported resource '${ResourceId.slice(0, 200)}': a service of ECS is service/<cluster name>/<service name>.`,
    );
  return ref;
}

/** `service/<cluster>/<service>`, or undefined. */
export function parseResource(account: string, resource: string): ServiceRef | undefined {
  const [, cluster = '', service = ''] = /^service\/([^/]+)\/([^/]+)$/.exec(resource) ?? [];
  return isName(cluster) && isName(service) ? { account, cluster, service } : undefined;
}

/** `application-autoscaling:<action>` on the target that a request names, with its tags. */
export const mayOn =
  <I extends TargetInput>(action: string, contextOf: (input: NoInfer<I>) => ConditionContext = () => ({})) =>
  async (input: I, scene: Scene): Promise<AccessList> => {
    const { account, region, api } = scene;
    const ref = parseResource(account, input.ResourceId);
    const tags = ref === undefined ? undefined : (await findTarget(api, ref))?.tags;
    const arn =
      ref === undefined
        ? arnOf({ service: 'application-autoscaling', region, account, resource: 'scalable-target/' })
        : targetArn(region, ref);
    return [
      {
        action: `application-autoscaling:${action}`,
        resources: [{ arn, ...(tags === undefined ? {} : { tags }) }],
        context: {
          'application-autoscaling:service-namespace': input.ServiceNamespace,
          'application-autoscaling:scalable-dimension': input.ScalableDimension,
          ...contextOf(input),
        },
      },
    ];
  };

/** `application-autoscaling:<action>` over everything. */
export const mayList = (action: string) => (): AccessList => [
  { action: `application-autoscaling:${action}`, resources: [{ arn: '*' }] },
];

/** The names of an account's clusters, in order. @param from the first that counts */
async function* clustersOf({ api, account }: Scene, from = ''): AsyncGenerator<string> {
  for await (const { key } of scan(api.records, accountPartition(account), accountKeys.clusters)) {
    const name = key.slice(accountKeys.clusters.length);
    if (name >= from) yield name;
  }
}

const separator = '\0';

/**
 * Rows of scaling over an account's clusters, in the order of clusters and keys; keys of pages are made of both.
 * @param after the key that the page before ended with
 * @param only a service, where one is asked for
 */
export async function* rowsOver<T>(
  scene: Scene,
  prefix: string,
  after: string | undefined,
  only?: ServiceRef,
): AsyncGenerator<Row<{ readonly cluster: string; readonly record: T }>> {
  const [first = '', last] = after?.split(separator) ?? [];
  const clusters = only === undefined ? clustersOf(scene, first) : [only.cluster];
  for await (const cluster of clusters) {
    const partition = clusterPartition(scene.account, cluster);
    const begin = cluster === first ? last : undefined;
    for await (const { key, value } of scan<T>(scene.api.records, partition, prefix, begin))
      yield { key: `${cluster}${separator}${key}`, value: { cluster, record: value } };
  }
}

/** What asks for a list of things that services have. */
interface ListInput {
  readonly ServiceNamespace: string;
  readonly ResourceId?: string | undefined;
  readonly ScalableDimension?: string | undefined;
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/**
 * One page of what services have: of one, where the request names it. Other namespaces have nothing.
 * @param name the operation, and what else the list depends on
 * @param keys the prefixes of all records, and of those of a service
 * @param pick what a record contributes; undefined leaves it out
 */
export async function pageOf<T, R>(
  scene: Scene,
  name: readonly unknown[],
  input: ListInput,
  keys: { readonly all: string; readonly of: (service: string) => string },
  pick: (cluster: string, record: T) => R | undefined,
): Promise<{ readonly items: R[]; readonly more: { readonly NextToken?: string } }> {
  const { api, account } = scene;
  const { ServiceNamespace, ResourceId, ScalableDimension = dimension } = input;
  const list = [...name, ServiceNamespace, ResourceId, ScalableDimension];
  const request = { nextToken: input.NextToken, maxResults: input.MaxResults };
  const after = await api.pages.start(account, list, request);
  const only = ResourceId === undefined ? undefined : parseResource(account, ResourceId);
  const isOurs = ServiceNamespace === 'ecs' && ScalableDimension === dimension;
  const isNone = !isOurs || (ResourceId !== undefined && only === undefined);
  const prefix = only === undefined ? keys.all : keys.of(only.service);
  const { items, nextToken } = await api.pages.page(
    account,
    list,
    request,
    isNone ? [] : rowsOver<T>(scene, prefix, after, only),
    ({ cluster, record }) => pick(cluster, record),
  );
  return { items, more: nextToken === undefined ? {} : { NextToken: nextToken } };
}
