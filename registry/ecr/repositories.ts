import type * as sdk from '@aws-sdk/client-ecr';
import type { AccessList, AccessRequest, Call, Operations } from '@slipway/auth/contract';
import { requestTags } from '@slipway/auth/kit';
import type { RepositoryRecord } from '../images/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { pageSize, startOf, tokenFor } from './paging.ts';
import { encryptionFrom, mutabilityFrom, ecrTags } from './settings.ts';
import { nameOf, onRepository, registryOf, repositoryRequest, type EcrPorts, targetOf } from './ports.ts';
import { repositoryView } from './view.ts';

/** Operations on repositories themselves. */
export function repositoryOperations(ports: EcrPorts) {
  const { repositories, signing } = ports.images;

  return {
    CreateRepository: operation({
      access: async (input: sdk.CreateRepositoryCommandInput, call): Promise<AccessList> =>
        createAccess(ports, input, call),
      handle: async (input, call) => {
        const account = registryOf(input, call);
        if (account !== call.account) throw invalidParameter('A repository can only be created in your own registry');
        const repository = await repositories.create(
          account,
          {
            name: nameOf(input),
            ...mutabilityFrom(input.imageTagMutability, input.imageTagMutabilityExclusionFilters),
            scanOnPush: input.imageScanningConfiguration?.scanOnPush ?? false,
            encryption: encryptionFrom(input.encryptionConfiguration),
            tags: ecrTags.parse(input.tags),
          },
          call.principal.arn,
        );
        return { repository: repositoryView(ports, call, account, repository) };
      },
    }),

    DescribeRepositories: operation({
      access: async (input: sdk.DescribeRepositoriesCommandInput, call): Promise<AccessList> =>
        describeAccess(ports, input, call),
      handle: async (input, call) => {
        const account = registryOf(input, call);
        const view = (repository: RepositoryRecord) => repositoryView(ports, call, account, repository);
        if (input.repositoryNames !== undefined) {
          if (input.maxResults !== undefined || input.nextToken !== undefined) {
            throw invalidParameter("'repositoryNames' cannot be used together with 'maxResults' or 'nextToken'");
          }
          const found = await Promise.all(
            input.repositoryNames.map((repositoryName) => repositories.get(account, nameOf({ repositoryName }))),
          );
          return { repositories: found.map(view) };
        }
        const limit = pageSize(input);
        const after = await startOf(signing, account, 'repositories', input);
        const page = await repositories.list(account, { limit, ...(after === undefined ? {} : { after }) });
        const last = page.repositories.at(-1);
        return {
          repositories: page.repositories.map(view),
          ...(page.more && last ? { nextToken: await tokenFor(signing, account, 'repositories', last.name) } : {}),
        };
      },
    }),

    DeleteRepository: operation({
      access: onRepository(ports, 'DeleteRepository'),
      handle: async (input: sdk.DeleteRepositoryCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const repository = await repositories.remove(account, name, {
          force: input.force ?? false,
          actor: call.principal.arn,
        });
        return { repository: repositoryView(ports, call, account, repository) };
      },
    }),

    PutImageTagMutability: operation({
      access: onRepository(ports, 'PutImageTagMutability'),
      handle: async (input: sdk.PutImageTagMutabilityCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const mutability = mutabilityFrom(input.imageTagMutability, input.imageTagMutabilityExclusionFilters);
        // The filters of an earlier form must not outlive it.
        await repositories.update(account, name, ({ tagExclusions: _exclusions, ...repository }) => ({
          ...repository,
          ...mutability,
        }));
        return {
          registryId: account,
          repositoryName: name,
          imageTagMutability: mutability.tagMutability,
          ...(mutability.tagExclusions ? { imageTagMutabilityExclusionFilters: [...mutability.tagExclusions] } : {}),
        };
      },
    }),

    PutImageScanningConfiguration: operation({
      access: onRepository(ports, 'PutImageScanningConfiguration'),
      handle: async (input: sdk.PutImageScanningConfigurationCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const scanOnPush = input.imageScanningConfiguration?.scanOnPush ?? false;
        await repositories.update(account, name, (repository) => ({ ...repository, scanOnPush }));
        return { registryId: account, repositoryName: name, imageScanningConfiguration: { scanOnPush } };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

/** Creating with tags takes the right to tag as well; the tags asked for are what conditions see. */
async function createAccess(ports: EcrPorts, input: sdk.CreateRepositoryCommandInput, call: Call): Promise<AccessList> {
  const account = registryOf(input, call);
  const tags = ecrTags.parse(input.tags);
  const request = async (action: string): Promise<AccessRequest> => ({
    ...(await repositoryRequest(ports, action, account, input.repositoryName ?? '')),
    context: requestTags(tags),
  });
  const create = await request('CreateRepository');
  return Object.keys(tags).length > 0 ? [create, await request('TagResource')] : [create];
}

/** Named repositories are each asked about; a list as such is a right on all of them. */
async function describeAccess(
  ports: EcrPorts,
  input: sdk.DescribeRepositoriesCommandInput,
  call: Call,
): Promise<AccessList> {
  const account = registryOf(input, call);
  const action = 'ecr:DescribeRepositories';
  if (input.repositoryNames === undefined) return [{ action, resources: [{ arn: ports.resources.arn(account, '*') }] }];
  if (input.repositoryNames.length < 1 || input.repositoryNames.length > 100)
    throw invalidParameter("'repositoryNames' must have 1 to 100 entries");
  const resources = await Promise.all(
    input.repositoryNames.map((repositoryName) => ports.resources.find(account, nameOf({ repositoryName }), action)),
  );
  return [{ action, resources }];
}
