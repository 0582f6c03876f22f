import type * as sdk from '@aws-sdk/client-ecr-public';
import {
  type AccessList,
  awsJson,
  defineService,
  type Operations,
  type ServiceDefinition,
} from '@slipway/auth/contract';
import { constraints, createEcr, type EcrOptions, operation } from '../ecr/index.ts';
import { delegate, publicArn } from './delegate.ts';
import { publicRepositoryOperations } from './repositories.ts';

/** Operations that do to a public repository what the ECR API does to any. */
const shared = [
  'BatchCheckLayerAvailability',
  'BatchDeleteImage',
  'CompleteLayerUpload',
  'DeleteRepositoryPolicy',
  'DescribeImages',
  'GetRepositoryPolicy',
  'InitiateLayerUpload',
  'ListTagsForResource',
  'PutImage',
  'SetRepositoryPolicy',
  'TagResource',
  'UntagResource',
  'UploadLayerPart',
] as const;

/**
 * The Amazon ECR Public API. Public repositories are repositories of the same registry that anybody may pull from without an
 * account; there is one registry, with no alias and no gallery.
 */
export function createEcrPublic(options: EcrOptions): ServiceDefinition {
  const { images, region } = options;
  const ecr = createEcr(options);
  const delegated = Object.fromEntries(
    shared.map((name) => [name, delegate(images, region, ecr.operations[name] as never)]),
  ) as Pick<Required<Operations<typeof sdk>>, (typeof shared)[number]>;
  return defineService<typeof sdk>({
    name: 'ecr-public',
    protocol: awsJson('1.1', 'SpencerFrontendService'),
    load: () => import('@aws-sdk/client-ecr-public'),
    constraints,
    operations: { ...delegated, ...publicRepositoryOperations(options), ...registryOperations(options) },
  });
}

const onRegistry = (action: string) => (): AccessList => [
  { action: `ecr-public:${action}`, resources: [{ arn: '*' }] },
];

function registryOperations({ images, issueToken }: EcrOptions) {
  const { repositories } = images;
  return {
    GetAuthorizationToken: operation({
      access: onRegistry('GetAuthorizationToken'),
      handle: async (_input: sdk.GetAuthorizationTokenCommandInput, call) => {
        const { token, expiresAt } = await issueToken(call);
        return { authorizationData: { authorizationToken: token, expiresAt: new Date(expiresAt) } };
      },
    }),
    DescribeRegistries: operation({
      access: onRegistry('DescribeRegistries'),
      handle: (_input: sdk.DescribeRegistriesCommandInput, call) =>
        Promise.resolve({
          registries: [
            {
              registryId: call.account,
              registryArn: publicArn(call.account, `registry/${call.account}`),
              registryUri: call.endpoint.replace(/^[a-z]+:\/\//, ''),
              verified: false,
              aliases: [],
            },
          ],
        }),
    }),
    GetRegistryCatalogData: operation({
      access: onRegistry('GetRegistryCatalogData'),
      handle: async (_input: sdk.GetRegistryCatalogDataCommandInput, call) => {
        const { publicDisplayName } = await repositories.registry(call.account);
        return { registryCatalogData: publicDisplayName === undefined ? {} : { displayName: publicDisplayName } };
      },
    }),
    PutRegistryCatalogData: operation({
      access: onRegistry('PutRegistryCatalogData'),
      handle: async (input: sdk.PutRegistryCatalogDataCommandInput, call) => {
        const { displayName } = input;
        await repositories.updateRegistry(call.account, ({ publicDisplayName: _name, ...registry }) => ({
          ...registry,
          ...(displayName === undefined ? {} : { publicDisplayName: displayName }),
        }));
        return { registryCatalogData: displayName === undefined ? {} : { displayName } };
      },
    }),
  } satisfies Operations<typeof sdk>;
}
