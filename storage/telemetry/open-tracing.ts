import type { TracingConfig } from './config.ts';
import type { Tracing } from './tracing.ts';

export interface TracingOptions {
  /** Of the program, for the traces' resource. */
  readonly version: string;
  /** Told when spans could not be sent, at most once a minute. */
  readonly onTrouble: (what: string) => void;
}

/** Opens traces. The OpenTelemetry packages are loaded here and nowhere else, so an installation without traces never has them. */
export async function openTracing(config: TracingConfig, options: TracingOptions): Promise<Tracing> {
  const { openTelemetry } = await import('./open-telemetry.ts');
  return openTelemetry(config, options);
}
