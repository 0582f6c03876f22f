import { hostname } from 'node:os';
import { type Identity, instanceRole, roleArn } from '@slipway/auth/identity';
import { type AgentCredentials, createAgent } from '@slipway/scheduler/hosts/agent';
import Docker from 'dockerode';
import type { Log } from '@slipway/auth/contract';

export interface LocalAgentOptions {
  readonly endpoint: string;
  readonly region: string;
  readonly account: string;
  readonly identity: Identity;
  readonly dataDir: string;
  readonly taskEndpoint: 'auto' | 'off';
  readonly taskNetwork: 'auto' | 'off';
  readonly fargate: 'auto' | 'off';
  /** The engine's runtime that tasks of Fargate are isolated by. */
  readonly isolation: string | undefined;
  /** Private ranges that log drivers may send to, and that registries may be in. */
  readonly logAddresses: readonly string[];
  readonly registryAddresses: readonly string[];
  /** The registries that images may come from (undefined: any at a public address), and names of this installation's own. */
  readonly registries: readonly string[] | undefined;
  readonly ownRegistries: readonly string[];
  /** The folder that file systems lie in. */
  readonly efsShare: string | undefined;
  readonly log: Log;
}

/** Starts the agent beside the server: an ECS client like any other, with the container-instance role. It waits for a Docker engine itself. */
export function startLocalAgent(options: LocalAgentOptions): { stop(): Promise<void> } {
  const agent = createAgent({
    endpoint: options.endpoint,
    region: options.region,
    cluster: 'default',
    credentials: instanceCredentials(options),
    dataDir: options.dataDir,
    taskEndpoint: options.taskEndpoint,
    taskNetwork: options.taskNetwork,
    fargate: options.fargate,
    isolation: options.isolation,
    allow: {
      logAddresses: options.logAddresses,
      registryAddresses: options.registryAddresses,
      fileSystems: options.efsShare,
    },
    registries: options.registries,
    ownRegistries: options.ownRegistries,
    log: options.log,
  });
  agent
    .start()
    .catch((error: unknown) =>
      options.log.error({ err: error }, 'the local agent was refused; this machine runs no tasks'),
    );
  return agent;
}

/** Whether the engine that `DOCKER_HOST` or the default socket names answers. */
export async function dockerAnswers(): Promise<boolean> {
  try {
    await new Docker().ping();
    return true;
  } catch {
    return false;
  }
}

const sessionSeconds = 3600;

/** Sessions of the container-instance role, a new one when the last has less than a quarter of its time left. */
function instanceCredentials(options: LocalAgentOptions): () => Promise<AgentCredentials> {
  let current: AgentCredentials | undefined;
  return async () => {
    const left = (current?.expiration?.getTime() ?? 0) - Date.now();
    if (current !== undefined && left > (sessionSeconds * 1000) / 4) return current;
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await options.identity.issueSession({
      roleArn: roleArn(options.account, instanceRole),
      // The instance belongs to whoever registered it, so the name must be the same after a restart.
      sessionName:
        hostname()
          .replaceAll(/[^\w+=,.@-]/g, '-')
          .slice(0, 64) || 'local',
      service: 'ec2.amazonaws.com',
      durationSeconds: sessionSeconds,
    });
    current = { accessKeyId, secretAccessKey, sessionToken, expiration };
    return current;
  };
}
