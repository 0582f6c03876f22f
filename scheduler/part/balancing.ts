import { policyFor } from '../balancing/elbv2/index.ts';
import { networkProbe } from '../balancing/health/index.ts';
import {
  EngineDriver,
  EngineReports,
  Keeper,
  type LocalEngine,
  type TrafficOptions,
} from '../balancing/traffic/index.ts';
import type { ControlPlane } from '../control/index.ts';

/** What goes on by itself for load balancing, and what its API asks of it. */
export interface BalancingPart {
  readonly reports: EngineReports;
  readonly certificates: { exists(account: string, arn: string): Promise<boolean> };
  start(): void;
  stop(): Promise<void>;
}

type Ports = Omit<TrafficOptions, 'probe' | 'certificate' | 'minimumTls'> & {
  readonly engines: readonly LocalEngine[];
};

/** Drives the engines of this machine, and competes for looking after targets. A server without an engine does neither. */
export function createBalancing({ engines, ...ports }: Ports): BalancingPart {
  // There is no certificate manager yet: listeners that want a certificate are refused.
  const certificate = (): Promise<undefined> => Promise.resolve(undefined);
  const options: TrafficOptions = {
    ...ports,
    probe: networkProbe,
    certificate,
    minimumTls: (policy) => (policyFor(policy ?? '').protocols.includes('TLSv1.2') ? 'TLSv1.2' : 'TLSv1.3'),
  };
  const over = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  return {
    reports: new EngineReports(options),
    certificates: { exists: async () => (await certificate()) !== undefined },
    start() {
      if (engines.length === 0) return;
      const { signal } = over;
      running = Promise.all([
        new Keeper(options).run(signal),
        ...engines.map((engine) => new EngineDriver(options, engine).run(signal)),
      ]);
    },
    async stop() {
      over.abort();
      await running;
    },
  };
}

/** A host as a target: one that has not said where it is reached cannot be one. */
export const targetHost = (
  host: ReturnType<ControlPlane['host']>,
): { readonly address: string; readonly zone: string; readonly running: boolean } | undefined =>
  host?.address === undefined ? undefined : { ...host, address: host.address };
