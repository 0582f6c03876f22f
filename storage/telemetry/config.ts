import { z } from 'zod';

/** How traces are sampled and sent; the exporter reads `OTEL_EXPORTER_OTLP_*` (endpoint, headers, certificates, …) itself. */
export interface TracingConfig {
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly sampler: { readonly name: SamplerName; readonly ratio: number };
  /** Whether `traceparent` of callers counts, and goes out to other servers of ours. */
  readonly propagate: boolean;
  /** How spans are gathered before they are sent; absent members: the SDK's defaults. */
  readonly batch: {
    readonly scheduledDelayMillis?: number;
    readonly exportTimeoutMillis?: number;
    readonly maxQueueSize?: number;
    readonly maxExportBatchSize?: number;
  };
}

const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export type SamplerName = (typeof samplers)[number];

/** An `OTEL_*` variable cannot be used; the message lists every problem with the variable's name. */
export class TracingConfigError extends Error {
  override readonly name = 'TracingConfigError';
}

const protocol = z.enum(['http/protobuf', 'http/json'], 'must be "http/protobuf" or "http/json"').optional();
const count = z.coerce.number().int().positive().optional();
const url = z.url({ protocol: /^https?$/, error: 'must be an http or https URL' }).optional();

const schema = z.object({
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: protocol,
  OTEL_TRACES_SAMPLER: z.enum(samplers, `must be one of ${samplers.join(', ')}`).default('parentbased_always_on'),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1),
  OTEL_PROPAGATORS: z.string().default('tracecontext,baggage'),
  OTEL_BSP_SCHEDULE_DELAY: count,
  OTEL_BSP_EXPORT_TIMEOUT: count,
  OTEL_BSP_MAX_QUEUE_SIZE: count,
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: count,
});

/**
 * Reads the standard `OTEL_*` variables. Traces are off, and nothing else is looked at, unless an endpoint is named
 * (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) or `OTEL_TRACES_EXPORTER=otlp`.
 * @throws TracingConfigError with all problems at once
 */
export function readTracingConfig(env: NodeJS.ProcessEnv): TracingConfig | undefined {
  const set = Object.fromEntries(
    Object.entries(env).filter(([name, value]) => name.startsWith('OTEL_') && value !== ''),
  );
  if (set['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return undefined;
  const exporter = set['OTEL_TRACES_EXPORTER'];
  const named = set['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? set['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'];
  if (exporter === 'none' || (exporter === undefined && named === undefined)) return undefined;
  const problems =
    exporter === undefined || exporter === 'otlp' ? [] : ['OTEL_TRACES_EXPORTER: must be "otlp" or "none"'];
  const parsed = schema.safeParse(set);
  for (const issue of parsed.error?.issues ?? []) problems.push(`${issue.path.join('.')}: ${issue.message}`);
  if (problems.length > 0 || !parsed.success)
    throw new TracingConfigError(`bad configuration\n  ${problems.join('\n  ')}`);
  const { data } = parsed;
  return {
    protocol: data.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? data.OTEL_EXPORTER_OTLP_PROTOCOL ?? 'http/protobuf',
    sampler: { name: data.OTEL_TRACES_SAMPLER, ratio: data.OTEL_TRACES_SAMPLER_ARG },
    propagate: data.OTEL_PROPAGATORS.split(',').some((name) => name.trim() === 'tracecontext'),
    batch: {
      ...(data.OTEL_BSP_SCHEDULE_DELAY === undefined ? {} : { scheduledDelayMillis: data.OTEL_BSP_SCHEDULE_DELAY }),
      ...(data.OTEL_BSP_EXPORT_TIMEOUT === undefined ? {} : { exportTimeoutMillis: data.OTEL_BSP_EXPORT_TIMEOUT }),
      ...(data.OTEL_BSP_MAX_QUEUE_SIZE === undefined ? {} : { maxQueueSize: data.OTEL_BSP_MAX_QUEUE_SIZE }),
      ...(data.OTEL_BSP_MAX_EXPORT_BATCH_SIZE === undefined
        ? {}
        : { maxExportBatchSize: data.OTEL_BSP_MAX_EXPORT_BATCH_SIZE }),
    },
  };
}
