import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import {
  type Attributes as OtelAttributes,
  type Context,
  defaultTextMapGetter,
  defaultTextMapSetter,
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  type Span as OtelSpan,
  SpanKind as Kinds,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import type { TracingConfig } from './config.ts';
import type { TracingOptions } from './open-tracing.ts';
import type { Attributes, Span, SpanKind, SpanOptions, Tracing } from './tracing.ts';

const kinds: Readonly<Record<SpanKind, Kinds>> = {
  server: Kinds.SERVER,
  client: Kinds.CLIENT,
  consumer: Kinds.CONSUMER,
  internal: Kinds.INTERNAL,
};

/** Longer values are cut: a span is no place for bodies. */
const longestValue = 1024;
const closeWithin = 5000;

/** Traces by the OpenTelemetry SDK, sent by OTLP over HTTP. Nothing global is registered but the SDK's own channel for complaints. */
export async function openTelemetry(config: TracingConfig, options: TracingOptions): Promise<Tracing> {
  const complain = complaints(options.onTrouble);
  const nothing = (): void => {};
  diag.setLogger(
    { error: complain, warn: complain, info: nothing, debug: nothing, verbose: nothing },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const own = resourceFromAttributes({
    'service.name': 'slipway',
    'service.version': options.version,
    'service.instance.id': randomUUID(),
    'process.pid': process.pid,
  });
  const provider = new TracerProvider({
    // The operator's OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    sampler: samplerOf(config.sampler),
    spanLimits: { attributeValueLengthLimit: longestValue },
    spanProcessors: [new BatchSpanProcessor({ exporter: await exporterFor(config.protocol), ...config.batch })],
  });
  const tracer = provider.getTracer('slipway', options.version);
  const propagator = new W3CTraceContextPropagator();
  const currentSpan = new AsyncLocalStorage<RunningSpan>();

  const begin = (name: string, parent: Context, { kind = 'internal', attributes = {} }: SpanOptions): RunningSpan =>
    new RunningSpan(tracer.startSpan(name, { kind: kinds[kind], attributes: defined(attributes) }, parent));

  const run = async <T>(name: string, spanOptions: SpanOptions, work: (span: Span) => Promise<T>): Promise<T> => {
    const span = begin(name, currentSpan.getStore()?.ports ?? ROOT_CONTEXT, spanOptions);
    try {
      return await currentSpan.run(span, () => work(span));
    } catch (error) {
      span.fail(error);
      throw error;
    } finally {
      span.end();
    }
  };

  return {
    begin: (name, headers, spanOptions = {}) =>
      begin(
        name,
        config.propagate ? propagator.extract(ROOT_CONTEXT, headers, defaultTextMapGetter) : ROOT_CONTEXT,
        spanOptions,
      ),
    within: (span, work) => currentSpan.run(span as RunningSpan, work),
    run,
    step: (name, spanOptions, work) =>
      currentSpan.getStore() === undefined ? work(undefined) : run(name, spanOptions, work),
    current: () => currentSpan.getStore(),
    headers() {
      const headers: Record<string, string> = {};
      const span = currentSpan.getStore();
      if (span !== undefined && config.propagate) propagator.inject(span.ports, headers, defaultTextMapSetter);
      return headers;
    },
    async close() {
      const { promise: late, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, closeWithin);
      await Promise.race([provider.shutdown(), late]).catch((error: unknown) => complain(String(error)));
      clearTimeout(timer);
    },
  };
}

class RunningSpan implements Span {
  readonly traceId: string;
  readonly spanId: string;
  /** What spans under this one begin from. */
  readonly ports: Context;
  readonly #span: OtelSpan;

  constructor(span: OtelSpan) {
    ({ traceId: this.traceId, spanId: this.spanId } = span.spanContext());
    this.ports = trace.setSpan(ROOT_CONTEXT, span);
    this.#span = span;
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(defined(attributes));
  }

  fail(error: unknown): void {
    const type = typeof error === 'string' ? error : error instanceof Error ? error.name : 'Error';
    this.#span.setAttribute('error.type', type).setStatus({ code: SpanStatusCode.ERROR, message: type });
  }

  end(): void {
    this.#span.end();
  }
}

function samplerOf({ name, ratio }: TracingConfig['sampler']): Sampler {
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return new TraceIdRatioBasedSampler(ratio);
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  }
}

async function exporterFor(protocol: TracingConfig['protocol']): Promise<SpanExporter> {
  switch (protocol) {
    case 'http/protobuf':
      return new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter();
  }
}

/** The SDK complains of every batch that it could not send; a collector that is away for a night must not fill the log. */
function complaints(onTrouble: (what: string) => void): (message: string) => void {
  let quietUntil = 0;
  return (message) => {
    const now = performance.now();
    if (now < quietUntil) return;
    quietUntil = now + 60_000;
    onTrouble(messageIn(message));
  };
}

/** The SDK hands errors over as JSON, stack and all. */
function messageIn(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text;
  } catch {
    return text;
  }
}

function defined(attributes: Attributes): OtelAttributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
