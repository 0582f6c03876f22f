import type { Transaction } from '@slipway/storage/records';
import type { Call, ResourceRef } from '../../contract/index.ts';
import { oidcProviderArn } from '../arns.ts';
import { asJson, type OidcProviderEntity } from '../entities.ts';
import { keys } from '../keys.ts';
import { alreadyExists, limitExceeded, noSuchEntity, validationError } from '../errors.ts';
import { quotas } from '../limits.ts';
import { requestTags, tagList } from '../../kit/index.ts';
import { iamTags } from '../tags.ts';
import { need, needAccount } from './access.ts';
import type { Iam, IamOperations } from './iam.ts';

/** The provider's URL as it stands in ARNs, from an ARN; undefined when it is not the ARN of a provider of the account. */
function urlOf(account: string, arn: string): string | undefined {
  const prefix = oidcProviderArn(account, '');
  return arn.startsWith(prefix) ? arn.slice(prefix.length) : undefined;
}

export async function findProvider(iam: Iam, account: string, arn = ''): Promise<OidcProviderEntity> {
  const url = urlOf(account, arn);
  const provider = url === undefined ? undefined : await iam.find(account, keys.oidcProvider(url));
  if (provider === undefined) throw noSuchEntity(`OpenIDConnect Provider not found for arn ${arn}`);
  return provider;
}

export async function providerIn(tx: Transaction, account: string, arn: string): Promise<OidcProviderEntity> {
  const url = urlOf(account, arn);
  const provider = url === undefined ? undefined : await tx.get<OidcProviderEntity>(keys.oidcProvider(url));
  if (provider === undefined) throw noSuchEntity(`OpenIDConnect Provider not found for arn ${arn}`);
  return provider;
}

export async function providerResource(iam: Iam, call: Call, arn: string | undefined): Promise<ResourceRef> {
  const url = urlOf(call.account, arn ?? '');
  const provider = url === undefined ? undefined : await iam.find(call.account, keys.oidcProvider(url));
  return { arn: arn ?? '*', ...(provider === undefined ? {} : { tags: provider.tags }) };
}

/** Takes `https://` off. The provider must be reached by TLS, as OpenID Connect demands of issuers. @throws AwsError */
function readUrl(given: string | undefined): string {
  const text = given ?? '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url?.protocol !== 'https:' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== '' ||
    url.password !== ''
  ) {
    throw validationError(
      'The URL of an OpenID Connect provider begins with https:// and has no query, fragment or credentials',
    );
  }
  return text.replace(/^https:\/\//i, '').replace(/\/$/, '');
}

function readClientIds(given: readonly string[] | undefined): string[] {
  const ids = [...new Set(given ?? [])];
  if (ids.length > quotas.clientIdsPerProvider) {
    throw limitExceeded(`Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: ${quotas.clientIdsPerProvider}`);
  }
  return ids;
}

export function oidcProviderOperations(iam: Iam): IamOperations {
  const change = (account: string, arn: string | undefined, work: (before: OidcProviderEntity) => OidcProviderEntity) =>
    iam.transact(account, async (tx) => {
      const before = await providerIn(tx, account, arn ?? '');
      tx.put(keys.oidcProvider(before.url), asJson(work(before)));
    });
  return {
    CreateOpenIDConnectProvider: {
      access: (input, call) =>
        need(
          'CreateOpenIDConnectProvider',
          { arn: oidcProviderArn(call.account, readUrl(input.Url)) },
          requestTags(iamTags.parse(input.Tags)),
        ),
      async handle(input, call) {
        const provider: OidcProviderEntity = {
          kind: 'oidc-provider',
          url: readUrl(input.Url),
          created: iam.now(),
          clientIds: readClientIds(input.ClientIDList),
          thumbprints: input.ThumbprintList ?? [],
          tags: iamTags.parse(input.Tags),
        };
        await iam.transact(call.account, async (tx) => {
          const key = keys.oidcProvider(provider.url);
          if ((await tx.get(key)) !== undefined) {
            throw alreadyExists(`Provider with url https://${provider.url} already exists.`);
          }
          tx.put(key, asJson(provider));
        });
        return {
          OpenIDConnectProviderArn: oidcProviderArn(call.account, provider.url),
          ...(Object.keys(provider.tags).length === 0 ? {} : { Tags: tagList(provider.tags) }),
        };
      },
    },

    GetOpenIDConnectProvider: {
      access: async (input, call) =>
        need('GetOpenIDConnectProvider', await providerResource(iam, call, input.OpenIDConnectProviderArn)),
      async handle(input, call) {
        const provider = await findProvider(iam, call.account, input.OpenIDConnectProviderArn);
        return {
          Url: provider.url,
          ClientIDList: [...provider.clientIds],
          ThumbprintList: [...provider.thumbprints],
          CreateDate: new Date(provider.created),
          Tags: tagList(provider.tags),
        };
      },
    },

    ListOpenIDConnectProviders: {
      access: () => needAccount('ListOpenIDConnectProviders'),
      async handle(_input, call) {
        const providers = await iam.all(call.account, keys.oidcProvider(''));
        return {
          OpenIDConnectProviderList: providers.map(({ value }) => ({ Arn: oidcProviderArn(call.account, value.url) })),
        };
      },
    },

    DeleteOpenIDConnectProvider: {
      access: async (input, call) =>
        need('DeleteOpenIDConnectProvider', await providerResource(iam, call, input.OpenIDConnectProviderArn)),
      async handle(input, call) {
        // "This operation is idempotent; it does not fail or return an error if you call it for a provider that does not exist."
        const url = urlOf(call.account, input.OpenIDConnectProviderArn ?? '');
        if (url === undefined || url === '')
          throw validationError(`${input.OpenIDConnectProviderArn} is not the ARN of a provider of this account`);
        await iam.transact(call.account, async (tx) => tx.remove(keys.oidcProvider(url)));
        return {};
      },
    },

    AddClientIDToOpenIDConnectProvider: {
      access: async (input, call) =>
        need('AddClientIDToOpenIDConnectProvider', await providerResource(iam, call, input.OpenIDConnectProviderArn)),
      async handle(input, call) {
        await change(call.account, input.OpenIDConnectProviderArn, (before) => ({
          ...before,
          clientIds: readClientIds([...before.clientIds, input.ClientID ?? '']),
        }));
        return {};
      },
    },

    RemoveClientIDFromOpenIDConnectProvider: {
      access: async (input, call) =>
        need(
          'RemoveClientIDFromOpenIDConnectProvider',
          await providerResource(iam, call, input.OpenIDConnectProviderArn),
        ),
      async handle(input, call) {
        await change(call.account, input.OpenIDConnectProviderArn, (before) => ({
          ...before,
          clientIds: before.clientIds.filter((id) => id !== input.ClientID),
        }));
        return {};
      },
    },

    UpdateOpenIDConnectProviderThumbprint: {
      access: async (input, call) =>
        need(
          'UpdateOpenIDConnectProviderThumbprint',
          await providerResource(iam, call, input.OpenIDConnectProviderArn),
        ),
      async handle(input, call) {
        const thumbprints = input.ThumbprintList ?? [];
        await change(call.account, input.OpenIDConnectProviderArn, (before) => ({ ...before, thumbprints }));
        return {};
      },
    },
  };
}
