import type { Tag } from '@aws-sdk/client-iam';
import type { Transaction } from '@slipway/storage/records';
import { requestTagKeys, requestTags, tagList } from '../../kit/index.ts';
import { asJson, type Entity, type Tags } from '../entities.ts';
import { keys } from '../keys.ts';
import { invalidInput, noSuchEntity } from '../errors.ts';
import { iamTags } from '../tags.ts';
import { need, resourceOf } from './access.ts';
import { ownRoleIn, profileIn, userIn } from './change.ts';
import type { Iam, IamOperations } from './iam.ts';
import { findProvider, providerIn, providerResource } from './oidc-providers.ts';
import { type Paged, pageOfList, type PagingInput } from './paging.ts';
import { findPolicy } from './policies.ts';
import { policyByArn } from './policy-lookup.ts';
import { findHolder } from './holders.ts';

type Tagged = Extract<Entity, { readonly tags: Tags }>;
/** Reads the entity and says where it is kept. */
type ReadTagged = (tx: Transaction) => Promise<{ readonly key: string; readonly entity: Tagged }>;

async function retag(iam: Iam, account: string, read: ReadTagged, change: (before: Tags) => Tags): Promise<void> {
  await iam.transact(account, async (tx) => {
    const { key, entity } = await read(tx);
    tx.put(key, asJson({ ...entity, tags: change(entity.tags) }));
  });
}

const add = (iam: Iam, account: string, read: ReadTagged, tags: readonly Tag[] | undefined): Promise<void> => {
  const added = iamTags.parse(tags);
  return retag(iam, account, read, (before) => iamTags.merge(before, added));
};

const drop = (iam: Iam, account: string, read: ReadTagged, names: readonly string[] | undefined): Promise<void> =>
  retag(iam, account, read, (before) => iamTags.without(before, names ?? []));

const list = (iam: Iam, account: string, of: readonly unknown[], tags: Tags, input: PagingInput): Promise<Paged<Tag>> =>
  pageOfList<Tag>(iam, account, ['tags', ...of], tagList(tags), (tag) => tag.Key ?? '', input);

const readUser =
  (name = ''): ReadTagged =>
  async (tx) => ({ key: keys.user(name), entity: await userIn(tx, name) });
const readRole =
  (name = ''): ReadTagged =>
  async (tx) => ({ key: keys.role(name), entity: await ownRoleIn(tx, name) });
const readProfile =
  (name = ''): ReadTagged =>
  async (tx) => ({ key: keys.profile(name), entity: await profileIn(tx, name) });
const readPolicyOf =
  (account: string, arn = ''): ReadTagged =>
  async (tx) => {
    const found = await policyByArn(tx, account, arn);
    if (found === undefined) throw noSuchEntity(`Policy ${arn} was not found.`);
    if ('aws' in found) throw invalidInput(`${arn} is managed by AWS and cannot be changed.`);
    return { key: keys.policy(found.own.name), entity: found.own };
  };
const readProvider =
  (account: string, arn = ''): ReadTagged =>
  async (tx) => {
    const provider = await providerIn(tx, account, arn);
    return { key: keys.oidcProvider(provider.url), entity: provider };
  };

export function taggingOperations(iam: Iam): IamOperations {
  return {
    TagUser: {
      access: async (input, call) =>
        need('TagUser', await resourceOf.user(iam, call, input.UserName), requestTags(iamTags.parse(input.Tags))),
      handle: async (input, call) => add(iam, call.account, readUser(input.UserName), input.Tags).then(() => ({})),
    },
    UntagUser: {
      access: async (input, call) =>
        need('UntagUser', await resourceOf.user(iam, call, input.UserName), requestTagKeys(input.TagKeys)),
      handle: async (input, call) => drop(iam, call.account, readUser(input.UserName), input.TagKeys).then(() => ({})),
    },
    ListUserTags: {
      access: async (input, call) => need('ListUserTags', await resourceOf.user(iam, call, input.UserName)),
      async handle(input, call) {
        const page = await list(
          iam,
          call.account,
          ['user', input.UserName],
          (await findHolder(iam, call.account, 'user', input.UserName)).tags,
          input,
        );
        return { Tags: page.items, ...page.truncation };
      },
    },
    TagRole: {
      access: async (input, call) =>
        need('TagRole', await resourceOf.role(iam, call, input.RoleName), requestTags(iamTags.parse(input.Tags))),
      handle: async (input, call) => add(iam, call.account, readRole(input.RoleName), input.Tags).then(() => ({})),
    },
    UntagRole: {
      access: async (input, call) =>
        need('UntagRole', await resourceOf.role(iam, call, input.RoleName), requestTagKeys(input.TagKeys)),
      handle: async (input, call) => drop(iam, call.account, readRole(input.RoleName), input.TagKeys).then(() => ({})),
    },
    ListRoleTags: {
      access: async (input, call) => need('ListRoleTags', await resourceOf.role(iam, call, input.RoleName)),
      async handle(input, call) {
        const page = await list(
          iam,
          call.account,
          ['role', input.RoleName],
          (await findHolder(iam, call.account, 'role', input.RoleName)).tags,
          input,
        );
        return { Tags: page.items, ...page.truncation };
      },
    },
    TagPolicy: {
      access: async (input, call) =>
        need('TagPolicy', await resourceOf.policy(iam, call, input.PolicyArn), requestTags(iamTags.parse(input.Tags))),
      handle: async (input, call) =>
        add(iam, call.account, readPolicyOf(call.account, input.PolicyArn), input.Tags).then(() => ({})),
    },
    UntagPolicy: {
      access: async (input, call) =>
        need('UntagPolicy', await resourceOf.policy(iam, call, input.PolicyArn), requestTagKeys(input.TagKeys)),
      handle: async (input, call) =>
        drop(iam, call.account, readPolicyOf(call.account, input.PolicyArn), input.TagKeys).then(() => ({})),
    },
    ListPolicyTags: {
      access: async (input, call) => need('ListPolicyTags', await resourceOf.policy(iam, call, input.PolicyArn)),
      async handle(input, call) {
        const found = await findPolicy(iam, call.account, input.PolicyArn);
        const page = await list(
          iam,
          call.account,
          ['policy', input.PolicyArn],
          'aws' in found ? {} : found.own.tags,
          input,
        );
        return { Tags: page.items, ...page.truncation };
      },
    },
    TagInstanceProfile: {
      access: async (input, call) =>
        need(
          'TagInstanceProfile',
          await resourceOf.profile(iam, call, input.InstanceProfileName),
          requestTags(iamTags.parse(input.Tags)),
        ),
      handle: async (input, call) =>
        add(iam, call.account, readProfile(input.InstanceProfileName), input.Tags).then(() => ({})),
    },
    UntagInstanceProfile: {
      access: async (input, call) =>
        need(
          'UntagInstanceProfile',
          await resourceOf.profile(iam, call, input.InstanceProfileName),
          requestTagKeys(input.TagKeys),
        ),
      handle: async (input, call) =>
        drop(iam, call.account, readProfile(input.InstanceProfileName), input.TagKeys).then(() => ({})),
    },
    ListInstanceProfileTags: {
      access: async (input, call) =>
        need('ListInstanceProfileTags', await resourceOf.profile(iam, call, input.InstanceProfileName)),
      async handle(input, call) {
        const name = input.InstanceProfileName ?? '';
        const profile = await iam.find(call.account, keys.profile(name));
        if (profile === undefined) throw noSuchEntity(`Instance Profile ${name} cannot be found.`);
        const page = await list(iam, call.account, ['instance-profile', name], profile.tags, input);
        return { Tags: page.items, ...page.truncation };
      },
    },
    TagOpenIDConnectProvider: {
      access: async (input, call) =>
        need(
          'TagOpenIDConnectProvider',
          await providerResource(iam, call, input.OpenIDConnectProviderArn),
          requestTags(iamTags.parse(input.Tags)),
        ),
      handle: async (input, call) =>
        add(iam, call.account, readProvider(call.account, input.OpenIDConnectProviderArn), input.Tags).then(() => ({})),
    },
    UntagOpenIDConnectProvider: {
      access: async (input, call) =>
        need(
          'UntagOpenIDConnectProvider',
          await providerResource(iam, call, input.OpenIDConnectProviderArn),
          requestTagKeys(input.TagKeys),
        ),
      handle: async (input, call) =>
        drop(iam, call.account, readProvider(call.account, input.OpenIDConnectProviderArn), input.TagKeys).then(
          () => ({}),
        ),
    },
    ListOpenIDConnectProviderTags: {
      access: async (input, call) =>
        need('ListOpenIDConnectProviderTags', await providerResource(iam, call, input.OpenIDConnectProviderArn)),
      async handle(input, call) {
        const page = await list(
          iam,
          call.account,
          ['oidc-provider', input.OpenIDConnectProviderArn],
          (await findProvider(iam, call.account, input.OpenIDConnectProviderArn)).tags,
          input,
        );
        return { Tags: page.items, ...page.truncation };
      },
    },
  };
}
