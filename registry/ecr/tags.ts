import type * as sdk from '@aws-sdk/client-ecr';
import type { AccessList, ConditionContext, Operations } from '@slipway/auth/contract';
import { parseArn, requestTagKeys, requestTags, tagList } from '@slipway/auth/kit';
import { parseRepositoryName } from '../images/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { ecrTags } from './settings.ts';
import { repositoryRequest, type EcrPorts, type Target } from './ports.ts';

/** Operations on the tags of repositories. */
export function tagOperations(ports: EcrPorts) {
  const { repositories } = ports.images;
  const access =
    (action: string, tags: (input: never) => ConditionContext = () => ({})) =>
    async (input: { resourceArn?: string | undefined }): Promise<AccessList> => {
      const { account, name } = ofArn(ports, input.resourceArn);
      const context = tags(input as never);
      const request = await repositoryRequest(ports, action, account, name);
      return [{ ...request, context }];
    };

  return {
    TagResource: operation({
      access: access('TagResource', (input: sdk.TagResourceCommandInput) => requestTags(ecrTags.parse(input.tags))),
      handle: async (input: sdk.TagResourceCommandInput) => {
        const { account, name } = ofArn(ports, input.resourceArn);
        const tags = ecrTags.parse(input.tags);
        await repositories.update(account, name, (repository) => ({
          ...repository,
          tags: ecrTags.merge(repository.tags, tags),
        }));
        return {};
      },
    }),

    UntagResource: operation({
      access: access('UntagResource', (input: sdk.UntagResourceCommandInput) => requestTagKeys(input.tagKeys)),
      handle: async (input: sdk.UntagResourceCommandInput) => {
        const { account, name } = ofArn(ports, input.resourceArn);
        await repositories.update(account, name, (repository) => ({
          ...repository,
          tags: ecrTags.without(repository.tags, input.tagKeys ?? []),
        }));
        return {};
      },
    }),

    ListTagsForResource: operation({
      access: access('ListTagsForResource'),
      handle: async (input: sdk.ListTagsForResourceCommandInput) => {
        const { account, name } = ofArn(ports, input.resourceArn);
        const { tags } = await repositories.get(account, name);
        return { tags: tagList(tags) };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

/** The repository an ARN names; one of another region or service is none of ours. */
function ofArn(ports: EcrPorts, arn = ''): Target {
  const { service, region, account = '', resource = '' } = parseArn(arn) ?? {};
  const name = /^repository\/(.+)$/.exec(resource)?.[1];
  if (service !== 'ecr' || region !== ports.region || !/^\d{12}$/.test(account) || name === undefined) {
    throw invalidParameter(
      `Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN': want arn:aws:ecr:${ports.region}:<account>:repository/<name>`,
    );
  }
  return { account, name: parseRepositoryName(name) };
}
