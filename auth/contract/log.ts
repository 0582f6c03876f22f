/**
 * What every room logs with; pino's loggers are one. An error goes under `err`, the only key that loggers write out with its message,
 * stack and cause: under another name it is printed as `{}`.
 */
export interface Log {
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

/** What a line says beside its message. `err` may be anything that was thrown. */
export interface LogFields {
  readonly err?: unknown;
  readonly error?: never;
  readonly cause?: never;
  readonly [field: string]: unknown;
}
