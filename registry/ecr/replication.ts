import type * as sdk from '@aws-sdk/client-ecr';
import { type AccessList, AwsError, type Call, type Operations } from '@slipway/auth/contract';
import type { ReplicationRule } from '../images/index.ts';
import { type Backfill, type Backfills, createBackfills, readStatuses } from '../replication/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { theImage } from './images.ts';
import { pageSize, startOf, tokenFor } from './paging.ts';
import { onRegistry, onRepository, registryOf, type EcrPorts, targetOf } from './ports.ts';

const mostDestinations = 25;

/** Operations on the replication of images to other installations. */
export function replicationOperations(ports: EcrPorts) {
  const { images } = ports;
  const backfills: Backfills = createBackfills(images);

  return {
    DescribeRegistry: operation({
      access: onRegistry('DescribeRegistry'),
      handle: async (_input: sdk.DescribeRegistryCommandInput, call) => {
        const { replication = [] } = await images.repositories.registry(call.account);
        return { registryId: call.account, replicationConfiguration: { rules: replication.map(ruleView) } };
      },
    }),

    PutReplicationConfiguration: operation({
      access: onRegistry('PutReplicationConfiguration'),
      handle: async (input: sdk.PutReplicationConfigurationCommandInput, call) => {
        const rules = (input.replicationConfiguration?.rules ?? []).map(ruleFrom);
        checkDestinations(ports, call, rules);
        await images.repositories.updateRegistry(call.account, ({ replication: _replication, ...registry }) => ({
          ...registry,
          ...(rules.length > 0 ? { replication: rules } : {}),
        }));
        return { replicationConfiguration: { rules: rules.map(ruleView) } };
      },
    }),

    DescribeImageReplicationStatus: operation({
      access: onRepository(ports, 'DescribeImageReplicationStatus'),
      handle: async (input: sdk.DescribeImageReplicationStatusCommandInput, call) => {
        const target = targetOf(input, call);
        const { digest } = await theImage(ports, target, input.imageId);
        const statuses = await readStatuses(images, target.account, target.name, digest);
        return {
          repositoryName: target.name,
          imageId: { ...input.imageId, imageDigest: digest },
          replicationStatuses: statuses.map(({ at: _at, ...status }) => status),
        };
      },
    }),

    StartReplicationBackfill: operation({
      access: onOwnRegistry('StartReplicationBackfill'),
      handle: async (input: sdk.StartReplicationBackfillCommandInput, call) => {
        const { region = '', registryId = '' } = input.destination ?? {};
        const { replication = [] } = await images.repositories.registry(call.account);
        const named = replication.some(({ destinations }) =>
          destinations.some((one) => one.region === region && one.registryId === registryId),
        );
        if (!named)
          throw invalidParameter(
            `No rule of the replication configuration has the destination ${region}, ${registryId}; add one with PutReplicationConfiguration first`,
          );
        return started(call.account, await backfills.start(call.account, { region, registryId }));
      },
    }),

    StopReplicationBackfill: operation({
      access: onOwnRegistry('StopReplicationBackfill'),
      handle: async (input: sdk.StopReplicationBackfillCommandInput, call) =>
        started(call.account, await backfills.stop(call.account, input.replicationBackfillId ?? '')),
    }),

    ListReplicationBackfills: operation({
      access: onOwnRegistry('ListReplicationBackfills'),
      handle: async (input: sdk.ListReplicationBackfillsCommandInput, call) => {
        const limit = pageSize(input);
        const after = await startOf(images.signing, call.account, 'backfills', input);
        const all = await backfills.list(call.account);
        const from = after === undefined ? 0 : all.findIndex(({ id }) => id === after) + 1;
        const page = all.slice(from, from + limit);
        return {
          registryId: call.account,
          backfills: page.map(summaryOf),
          ...(all.length > from + limit
            ? { nextToken: await tokenFor(images.signing, call.account, 'backfills', page.at(-1)?.id ?? '') }
            : {}),
        };
      },
    }),

    DescribeReplicationBackfillResults: operation({
      access: onOwnRegistry('DescribeReplicationBackfillResults'),
      handle: async (input: sdk.DescribeReplicationBackfillResultsCommandInput, call) =>
        describeResults(ports, backfills, input, call),
    }),
  } satisfies Operations<typeof sdk>;
}

async function describeResults(
  ports: EcrPorts,
  backfills: Backfills,
  input: sdk.DescribeReplicationBackfillResultsCommandInput,
  call: Call,
): Promise<sdk.DescribeReplicationBackfillResultsResponse> {
  const { signing } = ports.images;
  const { account } = call;
  const backfill = await backfills.get(account, input.replicationBackfillId ?? '');
  const list = `results of ${backfill.id}`;
  const after = await startOf(signing, account, list, input);
  const limit = pageSize(input);
  // Results are shown when the backfill is over, as ECR does.
  const page =
    backfill.endedAt === undefined
      ? { results: [], more: false }
      : await backfills.results(account, backfill.id, { limit, ...(after === undefined ? {} : { after }) });
  const wanted = input.resultStatusFilter;
  const last = page.results.at(-1);
  return {
    registryId: account,
    ...summaryOf(backfill),
    results: page.results
      .filter(({ status }) => wanted === undefined || status === wanted)
      .map(({ repository, digest, status, failureCode }) => ({
        repositoryName: repository,
        imageId: { imageDigest: digest },
        status,
        ...(failureCode === undefined ? {} : { failureCode }),
      })),
    ...(page.more && last
      ? { nextToken: await tokenFor(signing, account, list, `${last.repository}|${last.digest}`) }
      : {}),
  };
}

const onOwnRegistry =
  (action: string) =>
  (input: { readonly registryId?: string | undefined }, call: Call): AccessList => {
    if (registryOf(input, call) !== call.account)
      throw invalidParameter('Replication can only be managed in your own registry');
    return onRegistry(action)();
  };

function ruleFrom(rule: sdk.ReplicationRule): ReplicationRule {
  const destinations = (rule.destinations ?? []).map(({ region = '', registryId = '' }) => ({ region, registryId }));
  if (destinations.length === 0) throw invalidParameter('A replication rule needs at least one destination');
  return { destinations, prefixes: (rule.repositoryFilters ?? []).map(({ filter }) => filter ?? '') };
}

/** A destination is another installation, which must be known; there is no other region or account to send anything to. */
function checkDestinations(ports: EcrPorts, call: Call, rules: readonly ReplicationRule[]): void {
  const unique = new Map(
    rules.flatMap(({ destinations }) => destinations).map((one) => [`${one.region}, ${one.registryId}`, one]),
  );
  if (unique.size > mostDestinations)
    throw invalidParameter(`A replication configuration has at most ${mostDestinations} different destinations`);
  for (const [name, destination] of unique) {
    if (destination.region === ports.region && destination.registryId === call.account)
      throw invalidParameter(`The destination ${name} is this registry itself`);
    if (ports.replication?.has(destination) !== true)
      throw new AwsError(
        'ValidationException',
        `No installation is known for the destination ${name}. Add it under 'replicationTargets' in the file that SLIPWAY_REMOTES_FILE names: region, registryId, url, accessKeyId, secretAccessKey.`,
      );
  }
}

const ruleView = ({ destinations, prefixes }: ReplicationRule): sdk.ReplicationRule => ({
  destinations: [...destinations],
  ...(prefixes.length > 0
    ? { repositoryFilters: prefixes.map((filter) => ({ filter, filterType: 'PREFIX_MATCH' as const })) }
    : {}),
});

const started = (registryId: string, { id, destination, status, startedAt }: Backfill) => ({
  replicationBackfillId: id,
  registryId,
  destination,
  status,
  startedAt: new Date(startedAt),
});

const summaryOf = (backfill: Backfill): sdk.ReplicationBackfillSummary => ({
  replicationBackfillId: backfill.id,
  destination: backfill.destination,
  status: backfill.status,
  ...(backfill.failureCode === undefined ? {} : { failureCode: backfill.failureCode }),
  ...(backfill.total === undefined
    ? {}
    : {
        progress: {
          totalReplicationCount: backfill.total,
          completedReplicationCount: backfill.completed,
          failedReplicationCount: backfill.failed,
          failureCodes: [...backfill.failureCodes],
        },
      }),
  startedAt: new Date(backfill.startedAt),
  ...(backfill.endedAt === undefined ? {} : { endedAt: new Date(backfill.endedAt) }),
});
