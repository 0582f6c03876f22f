import type * as sdk from '@aws-sdk/client-ecr';
import { type AccessList, AwsError, type Operations } from '@slipway/auth/contract';
import { passRole } from '@slipway/auth/identity';
import { parseLifecyclePolicy } from '../lifecycle/index.ts';
import { createTemplates, type CreationReason, type CreationTemplate } from '../templates/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { pageSize, startOf, tokenFor } from './paging.ts';
import { checkedPolicy } from './policies.ts';
import { encryptionFrom, mutabilityFrom, ecrTags } from './settings.ts';
import { onRegistry, type EcrPorts } from './ports.ts';

const reasons: readonly string[] = ['CREATE_ON_PUSH', 'PULL_THROUGH_CACHE', 'REPLICATION'] satisfies CreationReason[];
const mostTemplates = 50;

type Change = sdk.CreateRepositoryCreationTemplateCommandInput | sdk.UpdateRepositoryCreationTemplateCommandInput;

/** Operations on the templates by which repositories are set up that nobody created by name. */
export function templateOperations(ports: EcrPorts) {
  const templates = createTemplates(ports.images);
  const { clock } = ports.images.ports;
  const view = async (template: CreationTemplate): Promise<sdk.RepositoryCreationTemplate> =>
    viewOf(template, template.policy && (await ports.principals.show(template.policy)));

  return {
    CreateRepositoryCreationTemplate: operation({
      access: onTemplate('CreateRepositoryCreationTemplate'),
      handle: async (input: sdk.CreateRepositoryCreationTemplateCommandInput, call) => {
        const prefix = prefixOf(input.prefix);
        const now = clock.now();
        const wanted: CreationTemplate = {
          prefix,
          appliedFor: reasonsFrom(input.appliedFor),
          tagMutability: 'MUTABLE',
          tags: {},
          createdAt: now,
          updatedAt: now,
          ...(await settingsFrom(ports, input)),
        };
        const present = await templates.list(call.account, { limit: mostTemplates });
        if (present.templates.length >= mostTemplates)
          throw new AwsError(
            'LimitExceededException',
            `There are ${mostTemplates} templates already, which is the limit`,
          );
        await templates.change(call.account, prefix, (template) => {
          if (template !== undefined)
            throw new AwsError(
              'TemplateAlreadyExistsException',
              `The repository creation template with prefix '${prefix}' already exists in the registry with id '${call.account}'`,
            );
          return wanted;
        });
        return { registryId: call.account, repositoryCreationTemplate: await view(wanted) };
      },
    }),

    UpdateRepositoryCreationTemplate: operation({
      access: onTemplate('UpdateRepositoryCreationTemplate'),
      handle: async (input: sdk.UpdateRepositoryCreationTemplateCommandInput, call) => {
        const prefix = prefixOf(input.prefix);
        const settings = await settingsFrom(ports, input);
        const appliedFor = input.appliedFor && reasonsFrom(input.appliedFor);
        let next: CreationTemplate | undefined;
        await templates.change(call.account, prefix, (template) => {
          if (template === undefined) throw notFound(call.account, prefix);
          const { tagExclusions, ...rest } = template;
          next = {
            ...rest,
            // The filters of an earlier form must not outlive it.
            ...(settings.tagMutability === undefined && tagExclusions ? { tagExclusions } : {}),
            ...settings,
            ...(appliedFor ? { appliedFor } : {}),
            updatedAt: clock.now(),
          };
          return next;
        });
        return {
          registryId: call.account,
          repositoryCreationTemplate: await view(next as unknown as CreationTemplate),
        };
      },
    }),

    DeleteRepositoryCreationTemplate: operation({
      access: onRegistry('DeleteRepositoryCreationTemplate'),
      handle: async (input: sdk.DeleteRepositoryCreationTemplateCommandInput, call) => {
        const prefix = prefixOf(input.prefix);
        const template = await templates.find(call.account, prefix);
        if (template === undefined) throw notFound(call.account, prefix);
        await templates.change(call.account, prefix, () => undefined);
        return { registryId: call.account, repositoryCreationTemplate: await view(template) };
      },
    }),

    DescribeRepositoryCreationTemplates: operation({
      access: onRegistry('DescribeRepositoryCreationTemplates'),
      handle: async (input: sdk.DescribeRepositoryCreationTemplatesCommandInput, call) => {
        const { account } = call;
        if (input.prefixes !== undefined && input.prefixes.length > 0) {
          const found = await Promise.all(input.prefixes.map((text) => templates.find(account, prefixOf(text))));
          const missing = found.indexOf(undefined);
          if (missing >= 0) throw notFound(account, prefixOf(input.prefixes[missing]));
          return {
            registryId: account,
            repositoryCreationTemplates: await Promise.all(found.filter((one) => one !== undefined).map(view)),
          };
        }
        const { signing } = ports.images;
        const after = await startOf(signing, account, 'templates', input);
        const limit = pageSize(input);
        const page = await templates.list(account, { limit, ...(after === undefined ? {} : { after }) });
        const last = page.templates.at(-1);
        return {
          registryId: account,
          repositoryCreationTemplates: await Promise.all(page.templates.map(view)),
          ...(page.more && last ? { nextToken: await tokenFor(signing, account, 'templates', last.prefix) } : {}),
        };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

/** Handing over a role takes the right to pass it. */
const onTemplate =
  (action: string) =>
  (input: Change): AccessList => [
    ...onRegistry(action)(),
    ...(input.customRoleArn === undefined ? [] : [passRole(input.customRoleArn, 'ecr.amazonaws.com')]),
  ];

/** With or without the slash at its end, it is the same prefix. */
const prefixOf = (text = ''): string => text.replace(/\/$/, '');

function reasonsFrom(values: readonly string[] | undefined): readonly CreationReason[] {
  if (values === undefined || values.length === 0 || !values.every((value) => reasons.includes(value)))
    throw invalidParameter(
      `Invalid parameter at 'appliedFor' failed to satisfy constraint: 'Member must satisfy enum value set: [${reasons.join(', ')}]'`,
    );
  return [...new Set(values)] as CreationReason[];
}

/** What of a template the caller gave, checked as if a repository were made with it now. An empty policy takes the policy away. */
async function settingsFrom(ports: EcrPorts, input: Change): Promise<Partial<CreationTemplate>> {
  const { encryptionConfiguration: encryption } = input;
  encryptionFrom(
    encryption && {
      encryptionType: encryption.encryptionType,
      ...(encryption.kmsKey ? { kmsKey: encryption.kmsKey } : {}),
    },
  );
  if (input.lifecyclePolicy) parseLifecyclePolicy(input.lifecyclePolicy);
  const policy = input.repositoryPolicy && (await checkedPolicy(ports, input.repositoryPolicy));
  const mutability =
    input.imageTagMutability === undefined && input.imageTagMutabilityExclusionFilters === undefined
      ? {}
      : mutabilityFrom(input.imageTagMutability, input.imageTagMutabilityExclusionFilters);
  return {
    ...(input.description === undefined ? {} : { description: input.description }),
    ...mutability,
    ...(input.resourceTags === undefined ? {} : { tags: ecrTags.parse(input.resourceTags) }),
    ...(policy === undefined ? {} : { policy }),
    ...(input.lifecyclePolicy === undefined ? {} : { lifecyclePolicy: input.lifecyclePolicy }),
    ...(input.customRoleArn === undefined ? {} : { customRoleArn: input.customRoleArn }),
  };
}

const notFound = (account: string, prefix: string): AwsError =>
  new AwsError(
    'TemplateNotFoundException',
    `The repository creation template with prefix '${prefix}' does not exist in the registry with id '${account}'`,
  );

const viewOf = (template: CreationTemplate, policy: string | undefined): sdk.RepositoryCreationTemplate => ({
  prefix: template.prefix,
  ...(template.description === undefined ? {} : { description: template.description }),
  encryptionConfiguration: { encryptionType: 'AES256' },
  resourceTags: Object.entries(template.tags).map(([Key, Value]) => ({ Key, Value })),
  imageTagMutability: template.tagMutability,
  ...(template.tagExclusions ? { imageTagMutabilityExclusionFilters: [...template.tagExclusions] } : {}),
  ...(policy ? { repositoryPolicy: policy } : {}),
  ...(template.lifecyclePolicy ? { lifecyclePolicy: template.lifecyclePolicy } : {}),
  appliedFor: [...template.appliedFor],
  ...(template.customRoleArn === undefined ? {} : { customRoleArn: template.customRoleArn }),
  createdAt: new Date(template.createdAt),
  updatedAt: new Date(template.updatedAt),
});
