import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import type { ServerProcess } from '../testbed/index.ts';
import type { Target } from './load.ts';

function ecrOf(server: ServerProcess): ECRClient {
  const env = server.aws();
  return new ECRClient({
    endpoint: server.endpoint,
    region: env['AWS_REGION'] ?? '',
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  });
}

export async function makeRepositories(server: ServerProcess, names: readonly string[]): Promise<void> {
  const ecr = ecrOf(server);
  for (const repositoryName of names) await ecr.send(new CreateRepositoryCommand({ repositoryName }));
  ecr.destroy();
}

/** What `docker login` sends. */
export async function passwordOf(server: ServerProcess): Promise<string> {
  const ecr = ecrOf(server);
  const { authorizationData } = await ecr.send(new GetAuthorizationTokenCommand({}));
  ecr.destroy();
  return Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64')
    .toString()
    .replace(/^AWS:/, '');
}

/** A running server, as its administrator. */
export async function targetOf(server: ServerProcess): Promise<Target> {
  const basic = Buffer.from(`AWS:${await passwordOf(server)}`).toString('base64');
  return { origin: server.endpoint, headers: { authorization: `Basic ${basic}` } };
}
