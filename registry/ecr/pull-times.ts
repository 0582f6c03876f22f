import type * as sdk from '@aws-sdk/client-ecr';
import { AwsError, type Operations } from '@slipway/auth/contract';
import { operation } from './errors.ts';
import { pageSize, startOf, tokenFor } from './paging.ts';
import { onRegistry, type EcrPorts } from './ports.ts';

const mostExclusions = 100;

/** Users and roles whose pulls leave the time of an image's last pull as it is (scanners, mirrors). */
export function pullTimeOperations(ports: EcrPorts) {
  const {
    repositories,
    signing,
    ports: { clock },
  } = ports.images;
  return {
    RegisterPullTimeUpdateExclusion: operation({
      access: onRegistry('RegisterPullTimeUpdateExclusion'),
      handle: async (input: sdk.RegisterPullTimeUpdateExclusionCommandInput, call) => {
        const principalArn = input.principalArn ?? '';
        const createdAt = clock.now();
        await repositories.updateRegistry(call.account, (registry) => {
          const present = registry.pullTimeExclusions ?? {};
          if (Object.hasOwn(present, principalArn))
            throw new AwsError('ExclusionAlreadyExistsException', `An exclusion for '${principalArn}' already exists`);
          if (Object.keys(present).length >= mostExclusions)
            throw new AwsError(
              'LimitExceededException',
              `There are ${mostExclusions} exclusions already, which is the limit`,
            );
          return { ...registry, pullTimeExclusions: { ...present, [principalArn]: createdAt } };
        });
        return { principalArn, createdAt: new Date(createdAt) };
      },
    }),

    DeregisterPullTimeUpdateExclusion: operation({
      access: onRegistry('DeregisterPullTimeUpdateExclusion'),
      handle: async (input: sdk.DeregisterPullTimeUpdateExclusionCommandInput, call) => {
        const principalArn = input.principalArn ?? '';
        await repositories.updateRegistry(call.account, (registry) => {
          const { [principalArn]: present, ...rest } = registry.pullTimeExclusions ?? {};
          if (present === undefined)
            throw new AwsError('ExclusionNotFoundException', `There is no exclusion for '${principalArn}'`);
          return { ...registry, pullTimeExclusions: rest };
        });
        return { principalArn };
      },
    }),

    ListPullTimeUpdateExclusions: operation({
      access: onRegistry('ListPullTimeUpdateExclusions'),
      handle: async (input: sdk.ListPullTimeUpdateExclusionsCommandInput, call) => {
        const { pullTimeExclusions = {} } = await repositories.registry(call.account);
        const limit = pageSize(input);
        const after = await startOf(signing, call.account, 'pull time exclusions', input);
        const rest = Object.keys(pullTimeExclusions)
          .toSorted()
          .filter((arn) => after === undefined || arn > after);
        const page = rest.slice(0, limit);
        return {
          pullTimeUpdateExclusions: page,
          ...(rest.length > limit
            ? { nextToken: await tokenFor(signing, call.account, 'pull time exclusions', page.at(-1) ?? '') }
            : {}),
        };
      },
    }),
  } satisfies Operations<typeof sdk>;
}
