import type { Outbound } from '@slipway/auth/outbound';
import { createRemote, type Remote, RemoteError } from '../remote/index.ts';
import { replicatedFrom } from './mark.ts';

/** Another installation, which stands for a region and registry as a destination of replication. */
export interface ReplicationTarget {
  readonly region: string;
  readonly registryId: string;
  /** Scheme and authority. */
  readonly url: string;
  /** Of a user there that may push, `ecr:CreateRepository` and `ecr:ReplicateImage` included. */
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** The region that installation is configured with, when it is another than the one it stands for here. */
  readonly signingRegion?: string | undefined;
}

export interface Targets {
  has(destination: { readonly region: string; readonly registryId: string }): boolean;
  /** The registry to push to, as coming from `account`. */
  remote(account: string, destination: { readonly region: string; readonly registryId: string }): Remote | undefined;
}

/** How long a login is used; it would last 12 hours. Milliseconds. */
const loginAge = 3_600_000;

export function createTargets(
  targets: readonly ReplicationTarget[],
  region: string,
  call: Outbound['stream'],
): Targets {
  const remotes = new Map<string, Remote>();
  const find = ({ region: wanted, registryId }: { region: string; registryId: string }) =>
    targets.find((target) => target.region === wanted && target.registryId === registryId);
  return {
    has: (destination) => find(destination) !== undefined,
    remote(account, destination) {
      const target = find(destination);
      if (target === undefined) return undefined;
      const name = `${account} ${target.region} ${target.registryId}`;
      const known = remotes.get(name);
      if (known) return known;
      let login: { readonly password: string; readonly until: number } | undefined;
      const made = createRemote({
        url: target.url,
        fetch: call,
        headers: { [replicatedFrom]: `${account}/${region}` },
        credentials: async () => {
          if (login === undefined || login.until < Date.now())
            login = { password: await passwordOf(target), until: Date.now() + loginAge };
          return { username: 'AWS', password: login.password };
        },
      });
      remotes.set(name, made);
      return made;
    },
  };
}

async function passwordOf({
  url,
  region,
  signingRegion,
  accessKeyId,
  secretAccessKey,
}: ReplicationTarget): Promise<string> {
  const { ECRClient, GetAuthorizationTokenCommand } = await import('@aws-sdk/client-ecr');
  const client = new ECRClient({
    endpoint: url,
    region: signingRegion ?? region,
    credentials: { accessKeyId, secretAccessKey },
    // A registry that takes the request and says nothing is one that cannot be reached.
    requestHandler: { requestTimeout: 15_000, connectionTimeout: 5_000, throwOnRequestTimeout: true },
  });
  try {
    const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}));
    const token = Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64').toString();
    return token.slice(token.indexOf(':') + 1);
  } catch (error) {
    const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
    if (status === undefined) throw new RemoteError('unavailable', `${url} cannot be reached`, { cause: error });
    throw new RemoteError('denied', `${url} refuses the login: ${(error as Error).message}`, { status, cause: error });
  } finally {
    client.destroy();
  }
}
