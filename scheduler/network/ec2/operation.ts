import type { AccessList, AccessRequest, ConditionContext, ResourceRef } from '@slipway/auth/contract';
import {
  type ApiOperation,
  type ApiOperations,
  arnOf,
  declareOperation,
  type Pages,
  requestTags,
  type SceneOf,
  tagsAsSent,
} from '@slipway/auth/kit';

import type { Groups, ProfileRole } from '../../scaling/groups/index.ts';
import type { Draft, Network, Networks, NounType } from '../records/index.ts';

import { dryRun, unsupported } from './errors.ts';
import { withinQuotas } from './quotas.ts';
import { operationSchema, type Shape, type TagSpecifications } from './shapes.ts';

/** What the operations of EC2's API work with. */
export interface Ec2Api {
  readonly networks: Networks;
  readonly pages: Pages;
  readonly region: string;
  readonly profileRole: ProfileRole;
  readonly groups: Pick<Groups, 'machines' | 'terminate'>;
}

export type Scene = SceneOf<Ec2Api>;
export type Ec2Operation = ApiOperation<Ec2Api>;
export type Ec2Operations = ApiOperations<Ec2Api>;

/** What an operation reads besides: that of a page of a list is read by `describe`. */
interface Declared<I> {
  /** What the caller must be allowed, from the input and the nouns as they are. */
  readonly access: (input: I, scene: Scene, network: Network) => AccessList | Promise<AccessList>;
}

/** An operation that reads. */
interface Reading<I, O> extends Declared<I> {
  readonly input: Shape<I>;
  readonly output: Shape<O>;
  readonly read: (input: I, scene: Scene, network: Network) => O | Promise<O>;
}

/** An operation that changes the nouns of the caller's account, in one commit: `change` runs again when somebody else was faster. */
interface Changing<I, O> extends Declared<I> {
  readonly input: Shape<I>;
  readonly output: Shape<O>;
  readonly change: (input: I, scene: Scene, draft: Draft) => O | Promise<O>;
}

/**
 * Declares an operation. What is the same for all is done here: the nouns are read, and `DryRun` ends in the answer that says that the
 * caller may.
 */
export function operation<I, O>(declared: Reading<I, O> | Changing<I, O>): Ec2Operation {
  return declareOperation<Ec2Api, I, O>(
    { operationSchema, unsupported },
    {
      input: declared.input,
      output: declared.output,
      access: async (input, scene) => declared.access(input, scene, await scene.api.networks.read(scene.account)),
      handle: async (input, scene) => {
        const { networks } = scene.api;
        if ((input as { readonly DryRun?: boolean }).DryRun === true) throw dryRun();
        return 'read' in declared
          ? declared.read(input, scene, await networks.read(scene.account))
          : networks.change(scene.account, async (draft) => {
              const check = withinQuotas(draft);
              const answer = await declared.change(input, scene, draft);
              check();
              return answer;
            });
      },
    },
  );
}

/** The ARN of something of EC2's in the caller's account; `*` for one that is not there yet. */
export const arn = (scene: Scene, type: NounType | 'network-interface' | 'instance', id: string): string =>
  arnOf({ service: 'ec2', region: scene.region, account: scene.account, resource: `${type}/${id}` });

/** What policies can say about something that is there: its tags, by both names that they have. */
export function reference(scene: Scene, network: Network, type: NounType, id: string): ResourceRef {
  const tags = network.get(type, id)?.tags;
  return { arn: arn(scene, type, id), ...(tags === undefined ? {} : { tags }) };
}

/** `ec2:<action>` on resources, with the keys that every request has. */
export function may(
  scene: Scene,
  action: string,
  resources: readonly ResourceRef[],
  context: ConditionContext = {},
): AccessRequest {
  const tags = resources.flatMap(({ tags: of = {} }) =>
    Object.entries(of).map(([key, value]) => [`ec2:ResourceTag/${key}`, value] as const),
  );
  return {
    action: `ec2:${action}`,
    resources,
    context: { 'ec2:Region': scene.region, ...Object.fromEntries(tags), ...context },
  };
}

/** Access to things by their ids. */
export const mayOn =
  <I>(action: string, idsOf: (input: I, network: Network) => readonly (readonly [NounType, string | undefined])[]) =>
  (input: I, scene: Scene, network: Network): AccessList => {
    const ids = idsOf(input, network);
    const refs = ids.map(([type, id]) => reference(scene, network, type, id ?? '*'));
    const [vpc] = ids.flatMap(([type, id]) => {
      const of = vpcOf(network, type, id);
      return of === undefined ? [] : [of];
    });
    return [may(scene, action, refs, vpc === undefined ? {} : { 'ec2:Vpc': arn(scene, 'vpc', vpc) })];
  };

/** The VPC that something is in, for the condition key `ec2:Vpc`. */
function vpcOf(network: Network, type: NounType, id: string | undefined): string | undefined {
  if (type === 'vpc') return undefined;
  const record = network.get(type, id);
  return record !== undefined && 'vpcId' in record ? record.vpcId : undefined;
}

/** Access to lists, which policies allow or do not: they have no resource. */
export const mayList =
  (action: string) =>
  (_input: unknown, scene: Scene): AccessList => [may(scene, action, [{ arn: '*' }])];

/**
 * Access to make something, and `ec2:CreateTags` when the request tags it.
 * @param beside what the new thing is made in
 */
export const mayCreate =
  <I extends { readonly TagSpecifications?: TagSpecifications | undefined }>(
    action: string,
    type: NounType,
    beside: (input: I, network: Network) => readonly (readonly [NounType, string | undefined])[] = () => [],
  ) =>
  (input: I, scene: Scene, network: Network): AccessList => {
    const made = { arn: arn(scene, type, '*') };
    const tags = requestTags(tagsAsSent((input.TagSpecifications ?? []).flatMap(({ Tags = [] }) => Tags)));
    const refs = beside(input, network).map(([of, id]) => reference(scene, network, of, id ?? '*'));
    return [
      may(scene, action, [made, ...refs], tags),
      ...(Object.keys(tags).length === 0
        ? []
        : [may(scene, 'CreateTags', [made], { ...tags, 'ec2:CreateAction': action })]),
    ];
  };
