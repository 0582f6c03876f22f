import { ECSClient } from '@aws-sdk/client-ecs';
import type { ServerProcess } from './server-process.ts';

/** The unmodified SDK's client of ECS as a server's administrator: much faster than the command line, where a test makes many calls. */
export function ecsClient(server: ServerProcess): ECSClient {
  return new ECSClient(sdkOptions(server));
}

/** What any client of the SDK needs to be a server's administrator. */
export function sdkOptions(server: ServerProcess): {
  endpoint: string;
  region: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
} {
  const env = server.aws();
  return {
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  };
}
