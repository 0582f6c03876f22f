import type * as sdk from '@aws-sdk/client-ecr-public';
import { type AccessList, AwsError, type Call, type Operations } from '@slipway/auth/contract';
import {
  type EcrOptions,
  ecrTags,
  invalidParameter,
  nameOf,
  operation,
  pageSize,
  startOf,
  tokenFor,
} from '../ecr/index.ts';
import { type PublicCatalog, repositoryPages, type RepositoryRecord } from '../images/index.ts';
import { publicRepositoryArn, publicRepository } from './delegate.ts';

/** Operations on public repositories and what they say about themselves. */
export function publicRepositoryOperations({ images }: EcrOptions) {
  const { repositories, signing } = images;
  const onPublic =
    (action: string) =>
    (input: { readonly repositoryName?: string | undefined }, call: Call): AccessList => [
      { action: `ecr-public:${action}`, resources: [{ arn: publicRepositoryArn(call.account, nameOf(input)) }] },
    ];

  return {
    CreateRepository: operation({
      access: onPublic('CreateRepository'),
      handle: async (input: sdk.CreateRepositoryCommandInput, call) => {
        const catalog = catalogFrom(input.catalogData);
        const repository = await repositories.create(
          call.account,
          { name: nameOf(input), tags: ecrTags.parse(input.tags), public: { catalog } },
          call.principal.arn,
        );
        return { repository: viewOf(call, repository), catalogData: catalogView(catalog) };
      },
    }),

    DescribeRepositories: operation({
      access: (input: sdk.DescribeRepositoriesCommandInput, call): AccessList => [
        {
          action: 'ecr-public:DescribeRepositories',
          resources: (input.repositoryNames ?? ['*']).map((name) => ({ arn: publicRepositoryArn(call.account, name) })),
        },
      ],
      handle: async (input, call) => {
        if (input.repositoryNames !== undefined) {
          const found = await Promise.all(
            input.repositoryNames.map((name) =>
              publicRepository(images, call.account, nameOf({ repositoryName: name })),
            ),
          );
          return { repositories: found.map((repository) => viewOf(call, repository)) };
        }
        const limit = pageSize(input);
        const after = await startOf(signing, call.account, 'public repositories', input);
        const shown: sdk.Repository[] = [];
        for await (const page of repositoryPages({ repositories }, call.account, { after, limit: 1000 })) {
          for (const repository of page.repositories.filter((one) => one.public !== undefined)) {
            if (shown.length === limit) {
              const last = shown.at(-1)?.repositoryName ?? '';
              return {
                repositories: shown,
                nextToken: await tokenFor(signing, call.account, 'public repositories', last),
              };
            }
            shown.push(viewOf(call, repository));
          }
        }
        return { repositories: shown };
      },
    }),

    DeleteRepository: operation({
      access: onPublic('DeleteRepository'),
      handle: async (input: sdk.DeleteRepositoryCommandInput, call) => {
        const name = nameOf(input);
        await publicRepository(images, call.account, name);
        const options = { force: input.force ?? false, actor: call.principal.arn };
        return { repository: viewOf(call, await repositories.remove(call.account, name, options)) };
      },
    }),

    GetRepositoryCatalogData: operation({
      access: onPublic('GetRepositoryCatalogData'),
      handle: async (input: sdk.GetRepositoryCatalogDataCommandInput, call) => {
        const { catalog } = (await publicRepository(images, call.account, nameOf(input))).public;
        if (Object.keys(catalog).length === 0)
          throw new AwsError(
            'RepositoryCatalogDataNotFoundException',
            `The repository with name '${input.repositoryName}' has no catalog data`,
          );
        return { catalogData: catalogView(catalog) };
      },
    }),

    PutRepositoryCatalogData: operation({
      access: onPublic('PutRepositoryCatalogData'),
      handle: async (input: sdk.PutRepositoryCatalogDataCommandInput, call) => {
        const name = nameOf(input);
        await publicRepository(images, call.account, name);
        const catalog = catalogFrom(input.catalogData);
        await repositories.update(call.account, name, (repository) => ({ ...repository, public: { catalog } }));
        return { catalogData: catalogView(catalog) };
      },
    }),

    DescribeImageTags: operation({
      access: onPublic('DescribeImageTags'),
      handle: async (input: sdk.DescribeImageTagsCommandInput, call) => {
        const name = nameOf(input);
        await publicRepository(images, call.account, name);
        const list = `public tags of ${name}`;
        const limit = pageSize(input);
        const after = await startOf(signing, call.account, list, input);
        const page = await images.manifests.tags(call.account, name, {
          limit,
          ...(after === undefined ? {} : { after }),
        });
        const imageTagDetails: sdk.ImageTagDetail[] = [];
        for (const imageTag of page.tags) {
          const found = await images.resolve(call.account, name, imageTag);
          const image = found && (await images.manifests.listOne(call.account, name, found.digest));
          if (image === undefined) continue;
          imageTagDetails.push({
            imageTag,
            createdAt: new Date(image.pushedAt),
            imageDetail: {
              imageDigest: image.digest,
              imageSizeInBytes: image.imageSize,
              imagePushedAt: new Date(image.pushedAt),
              imageManifestMediaType: image.mediaType,
              ...(image.artifactType === undefined ? {} : { artifactMediaType: image.artifactType }),
            },
          });
        }
        const last = page.tags.at(-1);
        return {
          imageTagDetails,
          ...(page.more && last ? { nextToken: await tokenFor(signing, call.account, list, last) } : {}),
        };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

const hostOf = (call: Call): string => call.endpoint.replace(/^[a-z]+:\/\//, '').replace(/\/.*$/, '');

const viewOf = (call: Call, { name, createdAt }: RepositoryRecord): sdk.Repository => ({
  repositoryArn: publicRepositoryArn(call.account, name),
  registryId: call.account,
  repositoryName: name,
  repositoryUri: `${hostOf(call)}/${name}`,
  createdAt: new Date(createdAt),
});

/** A logo would have to be served as a picture to everybody, which is not done here. */
function catalogFrom(input: sdk.RepositoryCatalogDataInput = {}): PublicCatalog {
  const { logoImageBlob, description, architectures, operatingSystems, aboutText, usageText } = input;
  if (logoImageBlob !== undefined && logoImageBlob.length > 0)
    throw new AwsError(
      'UnsupportedCommandException',
      'Logos of public repositories are not shown here; leave logoImageBlob out.',
    );
  const tooLong = [description, 1024] as const;
  for (const [text, most] of [tooLong, [aboutText, 25_600] as const, [usageText, 25_600] as const])
    if ((text ?? '').length > most)
      throw invalidParameter(`A text of the catalog data is longer than ${most} characters`);
  return {
    ...(description === undefined ? {} : { description }),
    ...(architectures === undefined ? {} : { architectures }),
    ...(operatingSystems === undefined ? {} : { operatingSystems }),
    ...(aboutText === undefined ? {} : { aboutText }),
    ...(usageText === undefined ? {} : { usageText }),
  };
}

const catalogView = ({ architectures, operatingSystems, ...texts }: PublicCatalog): sdk.RepositoryCatalogData => ({
  ...texts,
  ...(architectures ? { architectures: [...architectures] } : {}),
  ...(operatingSystems ? { operatingSystems: [...operatingSystems] } : {}),
});
