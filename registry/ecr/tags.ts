import type * as sdk from '@aws-sdk/client-ecr';
import type { AccessList, Call, Operations } from '@slipway/auth/contract';
import { parseRepositoryName } from '../images/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { limited, tagsFrom } from './settings.ts';
import { repositoryRequest, type Surroundings, type Target } from './surroundings.ts';

/** Operations on the tags of repositories. */
export function tagOperations(surroundings: Surroundings) {
  const { repositories } = surroundings.images;
  const access =
    (action: string, tags: (input: never) => Record<string, string | undefined> = () => ({})) =>
    async (input: { resourceArn?: string | undefined }, call: Call): Promise<AccessList> => {
      const { account, name } = ofArn(surroundings, input.resourceArn);
      const asked = Object.entries(tags(input as never));
      const request = await repositoryRequest(surroundings, action, account, name);
      if (asked.length === 0 || call.account === '') return [request];
      const requestTags = asked
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => [`aws:RequestTag/${key}`, value]);
      return [
        {
          ...request,
          context: {
            'aws:TagKeys': asked.map(([key]) => key),
            ...(Object.fromEntries(requestTags) as Record<string, string>),
          },
        },
      ];
    };

  return {
    TagResource: operation({
      access: access('TagResource', (input: sdk.TagResourceCommandInput) => tagsFrom(input.tags)),
      handle: async (input: sdk.TagResourceCommandInput) => {
        const { account, name } = ofArn(surroundings, input.resourceArn);
        const tags = tagsFrom(input.tags);
        await repositories.update(account, name, (repository) => ({
          ...repository,
          tags: limited({ ...repository.tags, ...tags }),
        }));
        return {};
      },
    }),

    UntagResource: operation({
      access: access('UntagResource', (input: sdk.UntagResourceCommandInput) =>
        Object.fromEntries((input.tagKeys ?? []).map((key) => [key, undefined])),
      ),
      handle: async (input: sdk.UntagResourceCommandInput) => {
        const { account, name } = ofArn(surroundings, input.resourceArn);
        const gone = new Set(input.tagKeys);
        await repositories.update(account, name, (repository) => ({
          ...repository,
          tags: Object.fromEntries(Object.entries(repository.tags).filter(([key]) => !gone.has(key))),
        }));
        return {};
      },
    }),

    ListTagsForResource: operation({
      access: access('ListTagsForResource'),
      handle: async (input: sdk.ListTagsForResourceCommandInput) => {
        const { account, name } = ofArn(surroundings, input.resourceArn);
        const { tags } = await repositories.get(account, name);
        return { tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

/** The repository an ARN names; one of another region or service is none of ours. */
function ofArn(surroundings: Surroundings, arn = ''): Target {
  const match = /^arn:aws:ecr:([a-z0-9-]+):(\d{12}):repository\/(.+)$/.exec(arn);
  if (match === null || match[1] !== surroundings.region) {
    throw invalidParameter(
      `Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN': want arn:aws:ecr:${surroundings.region}:<account>:repository/<name>`,
    );
  }
  return { account: match[2] as string, name: parseRepositoryName(match[3] as string) };
}
