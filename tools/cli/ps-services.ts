import { DescribeServicesCommand, type ECSClient, type Service } from '@aws-sdk/client-ecs';
import { servicesIn } from './contents.ts';
import { ageOf, table } from './output.ts';
import { verdict } from './verdict.ts';

/** A service as `slipway ps --services` lists it. */
export interface ServiceRow {
  readonly service: string;
  readonly running: number;
  readonly desired: number;
  readonly pending: number;
  /** One sentence: steady, or what stands in its way. */
  readonly state: string;
  readonly taskDefinition: string;
  readonly loadBalancers: readonly string[];
  readonly createdAt?: string;
}

/** The services of a cluster, or one of them, by name. */
export async function serviceRows(
  client: ECSClient,
  cluster: string,
  named: string | undefined,
): Promise<readonly ServiceRow[]> {
  const services =
    named === undefined
      ? (await servicesIn(client, cluster)).found
      : ((await client.send(new DescribeServicesCommand({ cluster, services: [named] }))).services ?? []);
  const rows = services.filter(({ status }) => status !== 'INACTIVE').map(serviceRow);
  return rows.toSorted((a, b) => (a.service < b.service ? -1 : 1));
}

/** What of a service is listed. */
export function serviceRow(service: Service): ServiceRow {
  const { serviceName = '', runningCount = 0, desiredCount = 0, pendingCount = 0, createdAt } = service;
  return {
    service: serviceName,
    running: runningCount,
    desired: desiredCount,
    pending: pendingCount,
    state: verdict(service),
    taskDefinition: service.taskDefinition?.split('/').at(-1) ?? '',
    // `targetgroup/<name>/<id>`: a group of slipway expose and up is named as its load balancer.
    loadBalancers: (service.loadBalancers ?? []).flatMap(({ targetGroupArn }) => targetGroupArn?.split('/')[1] ?? []),
    ...(createdAt === undefined ? {} : { createdAt: createdAt.toISOString() }),
  };
}

/** The table of services. @param now milliseconds since the epoch */
export const servicesTable = (rows: readonly ServiceRow[], now: number): string =>
  table(
    ['SERVICE', 'TASKS', 'TASK DEFINITION', 'TARGET GROUPS', 'AGE', 'STATE'],
    rows.map((row) => [
      row.service,
      `${row.running}/${row.desired}${row.pending === 0 ? '' : ` (+${row.pending})`}`,
      row.taskDefinition,
      row.loadBalancers.join(', '),
      row.createdAt === undefined ? '' : ageOf(Date.parse(row.createdAt), now),
      row.state,
    ]),
  );
