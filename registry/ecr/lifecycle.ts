import type * as sdk from '@aws-sdk/client-ecr';
import { AwsError, type Operations } from '@slipway/auth/contract';
import { findPreview, makePreview, parseLifecyclePolicy, previewPart, type PreviewResult } from '../lifecycle/index.ts';
import { operation } from './errors.ts';
import { pageSize, startOf, tokenFor } from './paging.ts';
import { onRepository, type EcrPorts, type Target, targetOf } from './ports.ts';

/** Operations on lifecycle policies. */
export function lifecycleOperations(ports: EcrPorts) {
  const { images } = ports;
  const { repositories } = images;

  return {
    PutLifecyclePolicy: operation({
      access: onRepository(ports, 'PutLifecyclePolicy'),
      handle: async (input: sdk.PutLifecyclePolicyCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        await repositories.get(account, name);
        const lifecyclePolicy = accepted(input.lifecyclePolicyText ?? '');
        await repositories.update(account, name, ({ lifecycleEvaluatedAt: _evaluated, ...repository }) => ({
          ...repository,
          lifecyclePolicy,
        }));
        return { registryId: account, repositoryName: name, lifecyclePolicyText: lifecyclePolicy };
      },
    }),

    GetLifecyclePolicy: operation({
      access: onRepository(ports, 'GetLifecyclePolicy'),
      handle: async (input: sdk.GetLifecyclePolicyCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const { lifecyclePolicy, lifecycleEvaluatedAt } = await repositories.get(account, name);
        if (lifecyclePolicy === undefined) throw noPolicy({ account, name });
        return {
          registryId: account,
          repositoryName: name,
          lifecyclePolicyText: lifecyclePolicy,
          lastEvaluatedAt: new Date(lifecycleEvaluatedAt ?? 0),
        };
      },
    }),

    DeleteLifecyclePolicy: operation({
      access: onRepository(ports, 'DeleteLifecyclePolicy'),
      handle: async (input: sdk.DeleteLifecyclePolicyCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        let removed = { text: '', at: 0 };
        await repositories.update(account, name, ({ lifecyclePolicy, lifecycleEvaluatedAt, ...repository }) => {
          if (lifecyclePolicy === undefined) throw noPolicy({ account, name });
          removed = { text: lifecyclePolicy, at: lifecycleEvaluatedAt ?? 0 };
          return repository;
        });
        return {
          registryId: account,
          repositoryName: name,
          lifecyclePolicyText: removed.text,
          lastEvaluatedAt: new Date(removed.at),
        };
      },
    }),

    StartLifecyclePolicyPreview: operation({
      access: onRepository(ports, 'StartLifecyclePolicyPreview'),
      handle: async (input: sdk.StartLifecyclePolicyPreviewCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const { lifecyclePolicy } = await repositories.get(account, name);
        const policy = input.lifecyclePolicyText === undefined ? lifecyclePolicy : accepted(input.lifecyclePolicyText);
        if (policy === undefined) throw noPolicy({ account, name });
        await makePreview(images, account, name, policy);
        return {
          registryId: account,
          repositoryName: name,
          lifecyclePolicyText: policy,
          status: 'IN_PROGRESS' as const,
        };
      },
    }),

    GetLifecyclePolicyPreview: operation({
      access: onRepository(ports, 'GetLifecyclePolicyPreview'),
      handle: async (input: sdk.GetLifecyclePolicyPreviewCommandInput, call) =>
        getPreview(ports, targetOf(input, call), input),
    }),
  } satisfies Operations<typeof sdk>;
}

/** A policy that can be acted on; anything else is refused with the rule and the member that are wrong. */
function accepted(text: string): string {
  parseLifecyclePolicy(text);
  return text;
}

const noPolicy = ({ account, name }: Target): AwsError =>
  new AwsError(
    'LifecyclePolicyNotFoundException',
    `Lifecycle policy does not exist for the repository with name '${name}' in the registry with id '${account}'`,
  );

async function getPreview(
  ports: EcrPorts,
  { account, name }: Target,
  input: sdk.GetLifecyclePolicyPreviewCommandInput,
) {
  const { images } = ports;
  await images.repositories.get(account, name);
  const preview = await findPreview(images, account, name);
  if (preview === undefined) {
    throw new AwsError(
      'LifecyclePolicyPreviewNotFoundException',
      `There is no preview of a lifecycle policy for the repository with name '${name}' in the registry with id '${account}'`,
    );
  }
  const list = `preview ${preview.id}`;
  const limit = pageSize(input, 100, 100);
  const ids = input.imageIds;
  const wanted = (result: PreviewResult): boolean =>
    matches(result, input.filter?.tagStatus) &&
    (ids === undefined ||
      ids.some(
        (id) => id.imageDigest === result.digest || (id.imageTag !== undefined && result.tags.includes(id.imageTag)),
      ));

  const previewResults: sdk.LifecyclePolicyPreviewResult[] = [];
  const start = (await startOf(images.signing, account, list, input)) ?? '0:0';
  const [firstPart, firstOffset] = start.split(':').map(Number) as [number, number];
  let nextToken: string | undefined;
  for (let part = firstPart; part < preview.parts && nextToken === undefined; part++) {
    const results = await previewPart(images, account, name, preview, part);
    for (let offset = part === firstPart ? firstOffset : 0; offset < results.length; offset++) {
      const result = results[offset] as PreviewResult;
      if (!wanted(result)) continue;
      if (previewResults.length === limit) {
        nextToken = await tokenFor(images.signing, account, list, `${part}:${offset}`);
        break;
      }
      previewResults.push(viewOf(result));
    }
  }
  return {
    registryId: account,
    repositoryName: name,
    lifecyclePolicyText: preview.policy,
    status: 'COMPLETE' as const,
    previewResults,
    summary: {
      expiringImageTotalCount: preview.expiring,
      ...(preview.transitioning > 0
        ? {
            transitioningImageTotalCounts: [
              { targetStorageClass: 'ARCHIVE' as const, imageTotalCount: preview.transitioning },
            ],
          }
        : {}),
    },
    ...(nextToken === undefined ? {} : { nextToken }),
  };
}

const matches = (result: PreviewResult, tagStatus: string | undefined): boolean =>
  tagStatus === undefined || tagStatus === 'ANY' || (tagStatus === 'TAGGED') === result.tags.length > 0;

const viewOf = (result: PreviewResult): sdk.LifecyclePolicyPreviewResult => ({
  ...(result.tags.length > 0 ? { imageTags: [...result.tags] } : {}),
  imageDigest: result.digest,
  imagePushedAt: new Date(result.pushedAt),
  action: result.action === 'expire' ? { type: 'EXPIRE' } : { type: 'TRANSITION', targetStorageClass: 'ARCHIVE' },
  appliedRulePriority: result.priority,
  storageClass: result.storageClass === 'archive' ? 'ARCHIVE' : 'STANDARD',
});
