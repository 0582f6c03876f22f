import { DescribeServicesCommand, ECSClient, type Service } from '@aws-sdk/client-ecs';
import { awsVariables } from './env.ts';
import { CliError } from './errors.ts';

/** Where commands send their calls and as whom: AWS_* variables when the shell has them, otherwise the data folder's administrator. */
export function clientSettings(data = process.env['SLIPWAY_DATA'] ?? 'data'): {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
} {
  const env = process.env;
  const found =
    env['AWS_ENDPOINT_URL'] !== undefined && env['AWS_ACCESS_KEY_ID'] !== undefined
      ? (env as Record<string, string>)
      : awsVariables(data);
  return {
    endpoint: found['AWS_ENDPOINT_URL'] ?? '',
    region: found['AWS_REGION'] ?? found['AWS_DEFAULT_REGION'] ?? 'us-east-1',
    credentials: {
      accessKeyId: found['AWS_ACCESS_KEY_ID'] ?? '',
      secretAccessKey: found['AWS_SECRET_ACCESS_KEY'] ?? '',
      ...(found['AWS_SESSION_TOKEN'] ? { sessionToken: found['AWS_SESSION_TOKEN'] } : {}),
    },
  };
}

/** An ECS client for the commands. */
export function ecsClient(data?: string): ECSClient {
  return new ECSClient(clientSettings(data));
}

/** Splits `<cluster>/<service>`; a bare service is in the cluster `default`. */
export function parseService(text: string): { readonly cluster: string; readonly service: string } {
  const parts = text.split('/');
  const [cluster, service] = parts.length === 1 ? ['default', parts[0]] : parts;
  if (parts.length > 2 || !cluster || !service)
    throw new CliError(`name the service as <cluster>/<service>, not '${text}'`, 2);
  return { cluster, service };
}

/** A service that is there and not on its way out. @throws CliError that says how to find those that are */
export async function activeService(client: ECSClient, cluster: string, service: string): Promise<Service> {
  const { services } = await client.send(new DescribeServicesCommand({ cluster, services: [service] }));
  const found = services?.[0];
  if (found?.status !== 'ACTIVE')
    throw new CliError(
      `there is no service ${service} in the cluster ${cluster}: aws ecs list-services --cluster ${cluster} shows them`,
    );
  return found;
}
