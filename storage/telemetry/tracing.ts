/** What a span says about itself. Names are OpenTelemetry's semantic conventions where there is one, `slipway.…` otherwise. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** One piece of work in a trace. */
export interface Span {
  /** 32 and 16 hexadecimal digits, as W3C Trace Context writes them. */
  readonly traceId: string;
  readonly spanId: string;
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** Marks the span as failed, with the error's name or a code; its message may hold what is nobody's business, and stays in the log. */
  fail(error: unknown): void;
  end(): void;
}

/** `server`: somebody asked us; `client`: we ask somebody; `consumer`: an event was delivered; `internal`: everything else. */
export type SpanKind = 'server' | 'client' | 'consumer' | 'internal';

export interface SpanOptions {
  /** Default `internal`. */
  readonly kind?: SpanKind;
  readonly attributes?: Attributes;
}

/**
 * Traces of what a server does. Whoever is handed none does nothing: there is no object that does nothing, so that an installation
 * without traces pays one comparison with `undefined` where a span would begin.
 */
export interface Tracing {
  /** Begins a span under the one that the caller's headers name (W3C Trace Context), else a new trace. Whoever begins it ends it. */
  begin(name: string, headers: Readonly<Record<string, unknown>>, options?: SpanOptions): Span;
  /** Runs work so that what it begins lies under `span`, however late and from whichever callback. */
  within<T>(span: Span, work: () => T): T;
  /** Runs work in a span of its own, under the current one or as a trace of its own; it ends, failed or not, with the work. */
  run<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** As {@link run} under a current span. Without one the work runs alone: what goes on in the background all day begins no traces. */
  step<T>(name: string, options: SpanOptions, work: (span: Span | undefined) => Promise<T>): Promise<T>;
  current(): Span | undefined;
  /** The headers that let another server of ours go on with the current trace; empty when there is none. */
  headers(): Readonly<Record<string, string>>;
  /** Sends what is left, for at most five seconds. */
  close(): Promise<void>;
}
