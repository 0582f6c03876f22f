import { type AwsError, cloudwatch, ecs, inGroups, pages, unlessRefused } from './aws.ts';
import { lastOf } from './format.ts';
import type { Alarm, Host, ServiceRow } from './types.ts';

export interface Services {
  /** Names of all clusters. */
  readonly clusters: readonly string[];
  readonly services: readonly ServiceRow[];
  /** Parts that were refused, each once. */
  readonly refused: readonly AwsError[];
}

export interface Overview extends Services {
  readonly hosts: readonly Host[];
  readonly alarms: readonly Alarm[];
}

/** The services of all clusters; what is refused is left out and said. @throws AwsError */
export async function readServices(signal: AbortSignal): Promise<Services> {
  const { refused, shown } = parts();
  const clusters = await shown(clustersOf(signal));
  const services = await Promise.all(clusters.map((cluster) => shown(servicesOf(cluster, signal))));
  return { clusters: clusters.map(lastOf), services: services.flat(), refused };
}

/** Services and hosts of all clusters, and alarms that ring; what is refused is left out and said. @throws AwsError */
export async function readOverview(signal: AbortSignal): Promise<Overview> {
  const { refused, shown } = parts();
  const clusters = await shown(clustersOf(signal));
  const [services, hosts, alarms] = await Promise.all([
    Promise.all(clusters.map((cluster) => shown(servicesOf(cluster, signal)))),
    Promise.all(clusters.map((cluster) => shown(hostsOf(cluster, signal)))),
    shown(
      cloudwatch('DescribeAlarms', { StateValue: 'ALARM', MaxRecords: 50 }, { signal }).then(
        ({ MetricAlarms }) => MetricAlarms ?? [],
      ),
    ),
  ]);
  return { clusters: clusters.map(lastOf), services: services.flat(), hosts: hosts.flat(), alarms, refused };
}

/** Parts of a page: what is refused of them is empty, and noted. */
function parts(): {
  readonly refused: AwsError[];
  readonly shown: <T>(work: Promise<readonly T[]>) => Promise<readonly T[]>;
} {
  const refused: AwsError[] = [];
  const note = (one: AwsError): void => {
    if (refused.every(({ operation }) => operation !== one.operation)) refused.push(one);
  };
  return { refused, shown: (work) => unlessRefused(work, [], note) };
}

/** ARNs of all clusters. @throws AwsError */
export const clustersOf = (signal: AbortSignal): Promise<readonly string[]> =>
  pages(
    (nextToken) => ecs('ListClusters', { nextToken }, { signal }),
    (page) => page.clusterArns,
  );

/** The services of a cluster, with their events. @throws AwsError */
export async function servicesOf(cluster: string, signal: AbortSignal): Promise<readonly ServiceRow[]> {
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
