import { AwsError, cloudwatch, ecs, inGroups, pages } from './aws.ts';
import type { Alarm, Host, ServiceRow } from './types.ts';

export interface Overview {
  readonly clusters: readonly string[];
  readonly services: readonly ServiceRow[];
  readonly hosts: readonly Host[];
  readonly alarms: readonly Alarm[];
  /** Parts that were refused, each once. */
  readonly refused: readonly AwsError[];
}

/** Clusters, their services and hosts, and alarms that ring; what is refused is left out and said. */
export async function readOverview(signal: AbortSignal): Promise<Overview> {
  const refused: AwsError[] = [];
  const orNothing = async <T>(work: Promise<readonly T[]>): Promise<readonly T[]> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof AwsError) || !error.isRefusal) throw error;
      if (refused.every(({ operation }) => operation !== error.operation)) refused.push(error);
      return [];
    }
  };
  const options = { signal };
  const clusters = await orNothing(
    pages(
      (nextToken) => ecs('ListClusters', { nextToken }, options),
      (page) => page.clusterArns,
    ),
  );
  const [services, hosts, alarms] = await Promise.all([
    Promise.all(clusters.map((cluster) => orNothing(servicesOf(cluster, signal)))),
    Promise.all(clusters.map((cluster) => orNothing(hostsOf(cluster, signal)))),
    orNothing(
      cloudwatch('DescribeAlarms', { StateValue: 'ALARM', MaxRecords: 50 }, options).then(
        ({ MetricAlarms }) => MetricAlarms ?? [],
      ),
    ),
  ]);
  return { clusters, services: services.flat(), hosts: hosts.flat(), alarms, refused };
}

async function servicesOf(cluster: string, signal: AbortSignal): Promise<readonly ServiceRow[]> {
  const arns = await pages(
    (nextToken) => ecs('ListServices', { cluster, maxResults: 100, nextToken }, { signal }),
    (page) => page.serviceArns,
  );
  return inGroups(
    arns,
    10,
    async (services) => (await ecs('DescribeServices', { cluster, services }, { signal })).services ?? [],
  );
}

export async function hostsOf(cluster: string, signal: AbortSignal): Promise<readonly Host[]> {
  const arns = await pages(
    (nextToken) => ecs('ListContainerInstances', { cluster, maxResults: 100, nextToken }, { signal }),
    (page) => page.containerInstanceArns,
  );
  return inGroups(
    arns,
    100,
    async (containerInstances) =>
      (await ecs('DescribeContainerInstances', { cluster, containerInstances }, { signal })).containerInstances ?? [],
  );
}
