export { readTracingConfig, type TracingConfig, TracingConfigError } from './config.ts';
export { openTracing, type TracingOptions } from './open-tracing.ts';
export { traceFetch } from './traced-fetch.ts';
export { traceStorage } from './traced-stores.ts';
export type { Attributes, Span, SpanKind, SpanOptions, Tracing } from './tracing.ts';
