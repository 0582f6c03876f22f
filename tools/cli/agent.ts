import { type AllowedEscapes, createAgent, Refused } from '@slipway/scheduler/hosts/agent';
import { FormatRefused } from '@slipway/storage/format';
import { z } from 'zod';
import { openLog } from '../server/log.ts';
import { type AgentFlags, agentSettings } from './agent-settings.ts';
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

/** The options of `slipway agent`. */
export interface AgentCommand extends AgentFlags {
  readonly allow?: readonly string[];
  readonly registries?: readonly string[];
}

/** `slipway agent`: joins a cluster with this machine's Docker engine, until SIGTERM or Ctrl-C. Containers keep running after it. */
export async function agent({ allow = [], registries, ...flags }: AgentCommand): Promise<void> {
  const { options, ignored } = await agentSettings(flags, process.env);
  const log = openLog(process.env['SLIPWAY_LOG'] ?? 'info');
  if (ignored.length > 0) log.info({ ignored }, 'these variables are not acted on by this agent');
  const { cluster } = options;
  const running = createAgent({ ...options, allow: allowed(allow), registries, log });
  const stopped = new Promise<void>((finish) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => finish());
  });
  try {
    const { containerInstanceArn } = await Promise.race([
      running.start(),
      stopped.then(() => ({ containerInstanceArn: undefined })),
    ]);
    if (containerInstanceArn !== undefined) log.info({ containerInstanceArn, cluster }, 'joined');
  } catch (error) {
    if (error instanceof Refused || error instanceof FormatRefused) throw new CliError(error.message);
    throw error;
  }
  await stopped;
  await running.stop();
  process.exit(0);
}

/** `path:/srv`, `device:/dev/fuse`, `capability:NET_ADMIN`, `volume:NAME`, `volume-driver:NAME`, `efs:/mnt/shared`, `log-address:10.0.0.0/8` and `registry-address:10.0.0.0/8` besides the names above. */
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
    else if (kind === 'efs' && value.startsWith('/')) all = { ...all, fileSystems: value.replace(/(?<=.)\/+$/, '') };
    else if (kind === 'volume-driver' && /^[\w./:-]+$/.test(value))
      all = { ...all, volumeDrivers: [...(all.volumeDrivers ?? []), value] };
    else if (kind === 'log-address' && isRange(value))
      all = { ...all, logAddresses: [...(all.logAddresses ?? []), value] };
    else if (kind === 'registry-address' && isRange(value))
      all = { ...all, registryAddresses: [...(all.registryAddresses ?? []), value] };
    else
      throw new CliError(
        `--allow ${name}: name one of ${Object.keys(escapes).join(', ')}, path:/…, device:/dev/…, capability:NAME, volume:NAME, volume-driver:NAME, efs:/…, log-address:CIDR, registry-address:CIDR`,
        2,
      );
  }
  return all;
}

const isRange = (text: string): boolean =>
  z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()]).safeParse(text).success;
