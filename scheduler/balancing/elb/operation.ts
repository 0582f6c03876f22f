import type { AccessList, ConditionContext, ResourceRef } from '@slipway/auth/contract';
import type { ApiOperations, Pages, SceneOf } from '@slipway/auth/kit';

import type { Networks } from '../../network/records/index.ts';
import { type ApiPorts, operationsOf } from '../api/index.ts';
import { type InstanceDirectory, may, type ServerCertificates, type Traffic } from '../elbv2/index.ts';
import { type AddressPool, type Balancing, classicArn, type ClassicRecord } from '../records/index.ts';

import { notFound, unsupported } from './errors.ts';
import { operationSchema } from './shapes.ts';

/** What the operations of the classic API work with. */
export interface ClassicApi extends ApiPorts {
  readonly networks: Networks;
  readonly pool: AddressPool;
  readonly traffic: Traffic;
  readonly instances: InstanceDirectory;
  readonly serverCertificates: ServerCertificates;
  readonly pages: Pages;
}

export type Scene = SceneOf<ClassicApi>;
export type ClassicOperations = ApiOperations<ClassicApi>;

/** Declares an operation. */
export const operation = operationsOf<ClassicApi>({ operationSchema, unsupported });

/** @throws LoadBalancerNotFound */
export function find(balancing: Balancing, name: string): ClassicRecord {
  const record = balancing.named('classic', name);
  if (record === undefined) throw notFound(name);
  return record;
}

/** `elasticloadbalancing:<action>` on load balancers by their names. */
export const mayOn =
  <I>(
    action: string,
    namesOf: (input: I) => readonly string[],
    contextOf: (input: I) => ConditionContext = () => ({}),
  ) =>
  (input: I, scene: Scene, balancing: Balancing): AccessList => {
    const resources = namesOf(input).map((name): ResourceRef => {
      const tags = balancing.named('classic', name)?.tags;
      return { arn: classicArn(scene, name), ...(tags === undefined ? {} : { tags }) };
    });
    return [may(action, resources.length === 0 ? [{ arn: '*' }] : resources, contextOf(input))];
  };
