import { describe, expect, test } from 'vitest';
import { readTracingConfig, TracingConfigError } from './config.ts';

const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

describe('traces are off', () => {
  test.each([
    [{}],
    [{ OTEL_SERVICE_NAME: 'shop', OTEL_TRACES_SAMPLER: 'always_on' }],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    [{ ...endpoint, OTEL_TRACES_EXPORTER: 'none' }],
    [{ ...endpoint, OTEL_SDK_DISABLED: 'true' }],
    [{ OTEL_SDK_DISABLED: 'TRUE', OTEL_TRACES_EXPORTER: 'nonsense' }],
  ])('with %j', (env) => {
    expect(readTracingConfig(env)).toBeUndefined();
  });
});

describe('traces are on', () => {
  test('with an endpoint, by protobuf, each request that has no parent', () => {
    expect(readTracingConfig(endpoint)).toEqual({
      protocol: 'http/protobuf',
      sampler: { name: 'parentbased_always_on', ratio: 1 },
      propagate: true,
      batch: {},
    });
  });

  test('with the exporter alone, which has a default endpoint', () => {
    expect(readTracingConfig({ OTEL_TRACES_EXPORTER: 'otlp' })).toBeDefined();
  });

  test('with what the variables say', () => {
    expect(
      readTracingConfig({
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/v1/traces',
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
        OTEL_TRACES_SAMPLER: 'traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0.25',
        OTEL_PROPAGATORS: 'b3,baggage',
        OTEL_BSP_SCHEDULE_DELAY: '100',
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '64',
      }),
    ).toEqual({
      protocol: 'http/json',
      sampler: { name: 'traceidratio', ratio: 0.25 },
      propagate: false,
      batch: { scheduledDelayMillis: 100, maxExportBatchSize: 64 },
    });
  });
});

test('every variable that cannot be used is named at once', () => {
  const read = () =>
    readTracingConfig({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_TRACES_EXPORTER: 'jaeger',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_TRACES_SAMPLER_ARG: '7',
    });
  expect(read).toThrow(TracingConfigError);
  for (const name of [
    'ENDPOINT',
    'PROTOCOL',
    'OTEL_TRACES_EXPORTER',
    'OTEL_TRACES_SAMPLER:',
    'OTEL_TRACES_SAMPLER_ARG',
  ])
    expect(read).toThrow(name);
});
