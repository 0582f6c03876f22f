import { resolve } from 'node:path';
import { type AllowedEscapes, createAgent, Refused } from '@slipway/scheduler/hosts/agent';
import { FormatRefused } from '@slipway/storage/format';
import { z } from 'zod';
import { openLog } from '../server/log.ts';
import { CliError } from './errors.ts';

/** What `--allow` can name, with the option of the agent it sets. */
const escapes: Readonly<Record<string, AllowedEscapes>> = {
  privileged: { privileged: true },
  'host-network': { hostNetwork: true },
  'instance-metadata': { instanceMetadata: true },
  'host-pid': { hostPid: true },
  'host-ipc': { hostIpc: true },
  'volume-driver-options': { volumeDriverOptions: true },
};

/** `slipway agent`: joins a cluster with this machine's Docker engine, until SIGTERM or Ctrl-C. Containers keep running after it. */
export async function agent(options: {
  readonly cluster: string;
  readonly data: string;
  readonly endpoint?: string;
  readonly allow?: readonly string[];
  readonly registries?: readonly string[];
}): Promise<void> {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = process.env;
  if (options.endpoint === undefined) throw new CliError('name the server with --endpoint or AWS_ENDPOINT_URL', 2);
  if (!accessKeyId || !secretAccessKey)
    throw new CliError(
      'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of a principal with the policy AmazonEC2ContainerServiceforEC2Role',
      2,
    );
  const log = openLog(process.env['SLIPWAY_LOG'] ?? 'info');
  const running = createAgent({
    endpoint: options.endpoint,
    region: process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
    cluster: options.cluster,
    credentials: async () => ({ accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) }),
    dataDir: resolve(options.data),
    allow: allowed(options.allow ?? []),
    registries: options.registries,
    log,
  });
  const stopped = new Promise<void>((finish) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => finish());
  });
  try {
    const { containerInstanceArn } = await Promise.race([
      running.start(),
      stopped.then(() => ({ containerInstanceArn: undefined })),
    ]);
    if (containerInstanceArn !== undefined) log.info({ containerInstanceArn, cluster: options.cluster }, 'joined');
  } catch (error) {
    if (error instanceof Refused || error instanceof FormatRefused) throw new CliError(error.message);
    throw error;
  }
  await stopped;
  await running.stop();
  process.exit(0);
}

/** `path:/srv`, `device:/dev/fuse`, `capability:NET_ADMIN`, `volume:NAME`, `log-address:10.0.0.0/8` and `registry-address:10.0.0.0/8` besides the names above. */
function allowed(names: readonly string[]): AllowedEscapes {
  let all: AllowedEscapes = {};
  for (const name of names) {
    const [kind = '', value = ''] = name.split(/:(.*)/s);
    if (escapes[name]) all = { ...all, ...escapes[name] };
    else if (kind === 'path' && value.startsWith('/')) all = { ...all, hostPaths: [...(all.hostPaths ?? []), value] };
    else if (kind === 'device' && value.startsWith('/dev/')) all = { ...all, devices: [...(all.devices ?? []), value] };
    else if (kind === 'capability' && value !== '')
      all = { ...all, capabilities: [...(all.capabilities ?? []), value] };
    else if (kind === 'volume' && value !== '') all = { ...all, volumes: [...(all.volumes ?? []), value] };
    else if (kind === 'log-address' && isRange(value))
      all = { ...all, logAddresses: [...(all.logAddresses ?? []), value] };
    else if (kind === 'registry-address' && isRange(value))
      all = { ...all, registryAddresses: [...(all.registryAddresses ?? []), value] };
    else
      throw new CliError(
        `--allow ${name}: name one of ${Object.keys(escapes).join(', ')}, path:/…, device:/dev/…, capability:NAME, volume:NAME, log-address:CIDR, registry-address:CIDR`,
        2,
      );
  }
  return all;
}

const isRange = (text: string): boolean =>
  z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]).safeParse(text).success;
