import { join } from 'node:path';
import type { Log } from '@slipway/auth/contract';
import {
  commandProvider,
  dockerProvider,
  type InstanceProvider,
  sshProvider,
} from '@slipway/scheduler/scaling/providers';
import type { ServerConfig } from './config.ts';
import { dockerTrouble } from './docker-trouble.ts';

type Configured = Pick<
  ServerConfig,
  'instanceProviders' | 'data' | 'taskLogAllow' | 'taskRegistryAllow' | 'taskRegistries'
>;

/** What makes the machines of Auto Scaling groups. Programs find the server's environment, without what is the server's own. */
export function instanceProviders(config: Configured, log: Log): readonly InstanceProvider[] {
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name.startsWith('SLIPWAY_') ? [] : [[name, value] as const],
    ),
  );
  return config.instanceProviders.map((one) =>
    'docker' in one
      ? dockerProvider({
          name: one.name,
          folder: join(config.data, 'machines'),
          ...one.docker,
          agent: agentCommand(config),
          env: Object.fromEntries(Object.entries(env).filter(([name]) => handedOn.has(name.toUpperCase()))),
          log,
        })
      : 'ssh' in one
        ? sshProvider({ name: one.name, file: one.ssh.file, env })
        : commandProvider({ name: one.name, command: one.command, rests: one.rests ?? [], env }),
  );
}

/** What a machine of this computer finds of the server's environment: no keys, and nothing that makes Node do something else. */
const handedOn: ReadonlySet<string> = new Set([
  'PATH',
  'HOME',
  'TMPDIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'NODE_COMPILE_CACHE',
]);

/** The agent of a machine of this computer: of this checkout, and with what tasks of this computer may reach. No file of this computer's sets it up. */
function agentCommand({ taskLogAllow, taskRegistryAllow, taskRegistries }: Configured): readonly string[] {
  const allowed = [
    ...taskLogAllow.map((range) => `log-address:${range}`),
    ...taskRegistryAllow.map((range) => `registry-address:${range}`),
  ];
  return [
    process.execPath,
    '--max-semi-space-size=4',
    '--heap-growing-percent=25',
    join(import.meta.dirname, '..', 'cli', 'main.ts'),
    'agent',
    '--config',
    '/dev/null',
    ...(allowed.length === 0 ? [] : ['--allow', ...allowed]),
    ...(taskRegistries === undefined ? [] : ['--registries', ...taskRegistries]),
  ];
}

/** Says at the start why this computer can make no machines, where it is meant to. */
export async function warnOfDocker({ instanceProviders: all }: Configured, log: Log): Promise<void> {
  for (const one of all) {
    const trouble = 'docker' in one ? await dockerTrouble(one.docker) : undefined;
    if (trouble !== undefined) log.error({ provider: one.name }, `no machine can be made: ${trouble}`);
  }
}

/** Where machines reach this installation: by the name that is given out, not by the address that it listens on. @param listening its URL */
export function reachedByMachines(config: Pick<ServerConfig, 'publicUrl' | 'endpoints'>, listening: string): string {
  const [given] = config.endpoints;
  if (config.publicUrl !== undefined) return config.publicUrl;
  return given === undefined ? listening : `${listening.startsWith('https:') ? 'https' : 'http'}://${given}`;
}
