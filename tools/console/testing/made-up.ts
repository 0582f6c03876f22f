import type { Answers } from './stand-in.ts';

/** What users may put wherever a text is theirs. */
export const hostile = '<img src=x onerror=alert(1)>"><script>alert(2)</script>\u001b[31m\u202e';

const account = '000000000000';
export const arnOf = (kind: string, ...names: readonly string[]): string =>
  `arn:aws:ecs:us-east-1:${account}:${kind}/${names.join('/')}`;

/** The time of what is made up: pages say how long ago it was. Seconds. */
export const at = Math.floor(Date.now() / 1000) - 600;

/** A service that is as it should be. */
export const serviceOf = (serviceName: string, tasks = 2): object => ({
  serviceName,
  serviceArn: arnOf('service', 'default', serviceName),
  clusterArn: arnOf('cluster', 'default'),
  status: 'ACTIVE',
  desiredCount: tasks,
  runningCount: tasks,
  pendingCount: 0,
  createdAt: at,
  taskDefinition: arnOf('task-definition', `${serviceName}:1`),
  deployments: [
    {
      id: `ecs-svc/${serviceName}`,
      status: 'PRIMARY',
      rolloutState: 'COMPLETED',
      desiredCount: tasks,
      runningCount: tasks,
      taskDefinition: arnOf('task-definition', `${serviceName}:1`),
    },
  ],
  events: [
    { id: `${serviceName} 1`, createdAt: at, message: `(service ${serviceName}) has reached a steady state.` },
    {
      id: `${serviceName} 2`,
      createdAt: at - 60,
      message: `(service ${serviceName}) was unable to place a task: ${hostile}`,
    },
  ],
});

/** One cluster with these services and nothing else. */
export const clusterOf = (services: readonly object[]): Answers => ({
  ListClusters: () => ({ clusterArns: [arnOf('cluster', 'default')] }),
  ListServices: ({ nextToken }: { readonly nextToken?: string }) => {
    const from = Number(nextToken ?? 0);
    const page = services.slice(from, from + 100);
    return {
      serviceArns: page.map((one) => (one as { serviceArn: string }).serviceArn),
      ...(from + 100 < services.length ? { nextToken: String(from + 100) } : {}),
    };
  },
  DescribeServices: ({ services: names }: { readonly services: readonly string[] }) => ({
    services: services.filter((one) => {
      const { serviceArn, serviceName } = one as { serviceArn: string; serviceName: string };
      return names.includes(serviceArn) || names.includes(serviceName);
    }),
  }),
  ListContainerInstances: () => ({ containerInstanceArns: [] }),
  ListTasks: () => ({ taskArns: [] }),
  DescribeAlarms: () => ({ MetricAlarms: [] }),
  DescribeAlarmHistory: () => ({ AlarmHistoryItems: [] }),
  DescribeRepositories: () => ({ repositories: [] }),
});
