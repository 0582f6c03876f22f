import { AwsError } from '@slipway/auth/contract';

import type { EcsOperations } from './options.ts';

const daemons = "Use a service with the scheduling strategy 'DAEMON': it runs one task on every container instance.";
const gateways = 'There are no gateways: put a proxy in front of the ports that tasks have on their hosts.';
const express = 'There are no Express services: use RegisterTaskDefinition and CreateService.';

/** Every operation of the ECS API that is not served, and what to do instead; so that none is answered as if it did not exist. */
const notServed = {
  AssociateGatewayWithCluster: gateways,
  CreateDaemon: daemons,
  CreateExpressGatewayService: express,
  CreateGateway: gateways,
  DeleteDaemon: daemons,
  DeleteDaemonTaskDefinition: daemons,
  DeleteExpressGatewayService: express,
  DeleteGateway: gateways,
  DescribeDaemon: daemons,
  DescribeDaemonDeployments: daemons,
  DescribeDaemonRevisions: daemons,
  DescribeDaemonTaskDefinition: daemons,
  DescribeExpressGatewayService: express,
  DescribeGateway: gateways,
  DescribeGatewayResources: gateways,
  DescribeGatewayRoute: gateways,
  DisassociateGatewayFromCluster: gateways,
  ListDaemonDeployments: daemons,
  ListDaemonTaskDefinitions: daemons,
  ListDaemons: daemons,
  ListGatewayClusterAssociations: gateways,
  ListGatewayRoutes: gateways,
  ListGateways: gateways,
  ListServicesByNamespace: 'There is no service discovery, and so no namespaces: use ListServices.',
  RegisterDaemonTaskDefinition: daemons,
  UpdateContainerAgent: 'Update the agent on its host and start it again; tasks run on meanwhile.',
  UpdateDaemon: daemons,
  UpdateExpressGatewayService: express,
  UpdateGateway: gateways,
} as const satisfies Partial<Record<keyof EcsOperations, string>>;

/** Whoever may call them is told why that does nothing here; others are denied as ever. */
export function notServedOperations(): EcsOperations {
  return Object.fromEntries(
    Object.entries(notServed).map(([name, instead]) => [
      name,
      {
        access: () => [{ action: `ecs:${name}`, resources: [{ arn: '*' }] }],
        handle: () =>
          Promise.reject(
            new AwsError('UnsupportedFeatureException', `${name} is not supported by this installation. ${instead}`),
          ),
      },
    ]),
  );
}
