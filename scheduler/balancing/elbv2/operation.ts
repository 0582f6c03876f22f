import type { AccessList, AccessRequest, Call, Operation, ResourceRef } from '@slipway/auth/contract';
import { type Pages, refuseMembers, requestTags } from '@slipway/auth/kit';

import type { Networks } from '../../network/records/index.ts';
import type { AddressPool, Balancers, Balancing, Draft } from '../records/index.ts';

import { unsupported, validation } from './errors.ts';
import { arnOfRecord, readArn } from './names.ts';
import type { CertificateSource, InstanceDirectory, Traffic } from './ports.ts';
import { operationSchema, type Shape, type TagList } from './shapes.ts';

/** What the operations of ELB's API work with. */
export interface ElbApi {
  readonly balancers: Balancers;
  readonly networks: Networks;
  readonly pool: AddressPool;
  readonly traffic: Traffic;
  readonly certificates: CertificateSource;
  readonly instances: InstanceDirectory;
  readonly pages: Pages;
  readonly region: string;
}

/** What an operation is told about its call. */
export interface Scene {
  readonly api: ElbApi;
  readonly call: Call;
  readonly region: string;
  readonly account: string;
}

interface Declared<I, O> {
  readonly input: Shape<I>;
  readonly output: Shape<O>;
  /** What the caller must be allowed, from the input and the records as they are. */
  readonly access: (input: I, scene: Scene, balancing: Balancing) => AccessList;
}

/** An operation that reads. */
interface Reading<I, O> extends Declared<I, O> {
  readonly read: (input: I, scene: Scene, balancing: Balancing) => O | Promise<O>;
}

/** An operation that changes the records of the caller's account, in one commit: `change` runs again when somebody else was faster. */
interface Changing<I, O, M> extends Declared<I, O> {
  /** What of elsewhere is needed, looked up before the change. */
  readonly change: (input: I, scene: Scene, draft: Draft) => M | Promise<M>;
  /** What is answered when the change stands; it may wait for the engines. */
  readonly answer: (made: M, scene: Scene, balancing: Balancing) => O | Promise<O>;
}

/** An operation with its shapes, as the gateway wants it. */
export interface ElbOperation {
  readonly schema: (name: string) => unknown;
  readonly input: Shape<unknown>;
  readonly output: Shape<unknown>;
  readonly bind: (api: ElbApi) => Operation<never, unknown>;
}
export type ElbOperations = Readonly<Record<string, ElbOperation>>;

/** Declares an operation. What is the same for all is done here: the records are read, and members that nothing acts on are refused. */
export function operation<I, O, M = O>(declared: Reading<I, O> | Changing<I, O, M>): ElbOperation {
  const { input: shape, output } = declared;
  return {
    input: shape,
    output,
    schema: (name) => operationSchema(name, shape, output),
    bind: (api) => {
      const sceneOf = (call: Call): Scene => ({ api, call, region: api.region, account: call.account });
      const bound: Operation<I, O> = {
        access: async (input, call) => declared.access(input, sceneOf(call), await api.balancers.read(call.account)),
        handle: async (input, call) => {
          refuseMembers(shape, input, unsupported);
          const scene = sceneOf(call);
          if ('read' in declared) return declared.read(input, scene, await api.balancers.read(call.account));
          const { result, balancing } = await api.balancers.change(call.account, (draft) =>
            declared.change(input, scene, draft),
          );
          return declared.answer(result, scene, balancing);
        },
      };
      return bound as Operation<never, unknown>;
    },
  };
}

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
    const tags = requestTags(
      Object.fromEntries((input.Tags ?? []).map(({ Key = '', Value = '' }) => [Key, Value] as const)),
    );
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
