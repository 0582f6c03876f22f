import { commandProvider, type InstanceProvider } from '@slipway/scheduler/scaling/providers';
import type { ServerConfig } from './config.ts';

/** What makes the machines of Auto Scaling groups. Programs find the server's environment, without what is the server's own. */
export function instanceProviders(config: Pick<ServerConfig, 'instanceProviders'>): readonly InstanceProvider[] {
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value === undefined || name.startsWith('SLIPWAY_') ? [] : [[name, value] as const],
    ),
  );
  return config.instanceProviders.map(({ name, command }) => commandProvider({ name, command, env }));
}

/** Where machines reach this installation: by the name that is given out, not by the address that it listens on. @param listening its URL */
export function reachedByMachines(config: Pick<ServerConfig, 'publicUrl' | 'endpoints'>, listening: string): string {
  const [given] = config.endpoints;
  if (config.publicUrl !== undefined) return config.publicUrl;
  return given === undefined ? listening : `${listening.startsWith('https:') ? 'https' : 'http'}://${given}`;
}
