import type { AccessList, AccessRequest, ResourceRef } from '@slipway/auth/contract';
import { type ApiOperations, type Pages, requestTags, type SceneOf, tagsAsSent } from '@slipway/auth/kit';

import type { Networks } from '../../network/records/index.ts';
import { type ApiPorts, operationsOf } from '../api/index.ts';
import type { AddressPool, Balancing } from '../records/index.ts';

import { unsupported, validation } from './errors.ts';
import { arnOfRecord, readArn } from './names.ts';
import type { InstanceDirectory, Traffic } from './ports.ts';
import type { ServerCertificates } from './server-certificates.ts';
import { operationSchema, type TagList } from './shapes.ts';

/** What the operations of ELB's API work with. */
export interface ElbApi extends ApiPorts {
  readonly networks: Networks;
  readonly pool: AddressPool;
  readonly traffic: Traffic;
  readonly instances: InstanceDirectory;
  readonly serverCertificates: ServerCertificates;
  readonly pages: Pages;
}

/** What an operation is told about its call. */
export type Scene = SceneOf<ElbApi>;
export type ElbOperations = ApiOperations<ElbApi>;

/** Declares an operation. */
export const operation = operationsOf<ElbApi>({ operationSchema, unsupported });

/** What policies can say about something that an ARN of a request names. One that is not there is asked for as it was written. */
export function reference(scene: Scene, balancing: Balancing, arn: string): ResourceRef {
  let named;
  try {
    named = readArn(scene, arn);
  } catch {
    return { arn: '*' };
  }
  const own = named && arnOfRecord(scene, balancing, named);
  const tags = named && balancing.get(named.type, named.id)?.tags;
  return { arn: own ?? arn, ...(tags === undefined ? {} : { tags }) };
}

/** `elasticloadbalancing:<action>` on resources, with the keys that requests have. */
export function may(
  action: string,
  resources: readonly ResourceRef[],
  context: AccessRequest['context'] = {},
): AccessRequest {
  const tags = resources.flatMap(({ tags: of = {} }) =>
    Object.entries(of).map(([key, value]) => [`elasticloadbalancing:ResourceTag/${key}`, value] as const),
  );
  return {
    action: `elasticloadbalancing:${action}`,
    resources,
    context: { ...Object.fromEntries(tags), ...context },
  };
}

/** Access to things by their ARNs. */
export const mayOn =
  <I>(action: string, arnsOf: (input: I) => readonly string[]) =>
  (input: I, scene: Scene, balancing: Balancing): AccessList => {
    const refs = arnsOf(input).map((arn) => reference(scene, balancing, arn));
    return [may(action, refs.length === 0 ? [{ arn: '*' }] : refs)];
  };

/** Access to lists, which policies allow or do not: they have no resource. */
export const mayList = (action: string) => (): AccessList => [may(action, [{ arn: '*' }])];

/**
 * Access to make something, and `elasticloadbalancing:AddTags` when the request tags it.
 * @param madeOf the ARN of what is made, without the ids that nobody knows yet; or of what it is made in
 */
export const mayCreate =
  <I extends { readonly Tags?: TagList | undefined }>(
    action: string,
    madeOf: (input: I, scene: Scene, balancing: Balancing) => readonly ResourceRef[],
  ) =>
  (input: I, scene: Scene, balancing: Balancing): AccessList => {
    const tags = requestTags(tagsAsSent(input.Tags));
    const made = madeOf(input, scene, balancing);
    return [
      may(action, made, tags),
      ...(Object.keys(tags).length === 0
        ? []
        : [may('AddTags', made, { ...tags, 'elasticloadbalancing:CreateAction': action })]),
    ];
  };

/** At least one of a list that must not be empty. @throws ValidationError */
export function someOf<T>(given: readonly T[], what: string): readonly T[] {
  if (given.length === 0) throw validation(`${what} must be specified`);
  return given;
}
