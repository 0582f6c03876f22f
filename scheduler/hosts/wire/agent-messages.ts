import { z } from 'zod';

const sender = { cluster: z.string().optional(), containerInstance: z.string().optional() };

/** What an agent sends on the control connection; other types are ignored, as the protocol asks. */
export const agentMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('AckRequest'), message: z.object({ ...sender, messageId: z.string() }) }),
  z.object({ type: z.literal('HeartbeatAckRequest'), message: z.object({ messageId: z.string() }) }),
  z.object({
    type: z.literal('IAMRoleCredentialsAckRequest'),
    message: z.object({
      messageId: z.string().optional(),
      credentialsId: z.string().optional(),
      expiration: z.string().optional(),
    }),
  }),
  z.object({
    type: z.literal('NackRequest'),
    message: z.object({ messageId: z.string(), reason: z.string().optional() }),
  }),
  z.object({
    type: z.literal('TaskStopVerificationMessage'),
    message: z.object({
      messageId: z.string(),
      stopCandidates: z.array(z.object({ taskArn: z.string(), taskClusterArn: z.string().optional() })).default([]),
    }),
  }),
]);

/** Whose numbers these are. */
const metadata = z.object(sender).optional();

const statistics = z.object({ min: z.number(), max: z.number(), sum: z.number(), sampleCount: z.number() }).partial();

/** What an agent sends on the telemetry connection. */
export const telemetryMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('PublishHealthRequest'),
    message: z.object({
      metadata,
      tasks: z
        .array(
          z.object({
            taskArn: z.string(),
            containers: z
              .array(
                z.object({
                  containerName: z.string(),
                  healthStatus: z.enum(['HEALTHY', 'UNHEALTHY', 'UNKNOWN']),
                }),
              )
              .default([]),
          }),
        )
        .default([]),
    }),
  }),
  z.object({
    type: z.literal('PublishMetricsRequest'),
    message: z.object({
      metadata,
      /** Milliseconds. */
      timestamp: z.number().optional(),
      taskMetrics: z
        .array(
          z.object({
            taskArn: z.string(),
            taskDefinitionFamily: z.string().optional(),
            taskDefinitionVersion: z.string().optional(),
            containerMetrics: z
              .array(
                z.object({
                  containerName: z.string().optional(),
                  cpuStatsSet: statistics.optional(),
                  memoryStatsSet: statistics.optional(),
                  networkStatsSet: z
                    .object({ rxBytesPerSecond: statistics, txBytesPerSecond: statistics })
                    .partial()
                    .optional(),
                  /** Bytes since the container began. */
                  storageStatsSet: z
                    .object({ readSizeBytes: statistics, writeSizeBytes: statistics })
                    .partial()
                    .optional(),
                }),
              )
              .default([]),
          }),
        )
        .default([]),
    }),
  }),
  z.object({
    type: z.literal('PublishInstanceStatusRequest'),
    message: z.object({
      metadata,
      statuses: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    }),
  }),
]);

/** A telemetry message as the control plane reads it. */
export type TelemetryMessage = z.output<typeof telemetryMessage>;
