import { z } from 'zod';

/** Temporary credentials of a task's role, as the agent protocol carries them. */
export interface AcsCredentials {
  readonly credentialsId: string;
  readonly roleArn: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  /** ISO 8601. */
  readonly expiration: string;
  readonly roleType: 'TaskApplication' | 'TaskExecution';
}

/** A container of {@link AcsTask}. */
export interface AcsContainer {
  readonly name: string;
  readonly image: string;
  readonly essential: boolean;
  readonly cpu: number;
  /** MiB; 0 means no hard limit. */
  readonly memory: number;
  readonly entryPoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly environmentFiles: readonly object[];
  readonly secrets: readonly object[];
  readonly portMappings: readonly {
    readonly containerPort?: number;
    readonly containerPortRange?: string;
    readonly hostPort: number;
    readonly protocol: string;
  }[];
  /** A JSON string; only `command` may stand in it. */
  readonly overrides: string;
  readonly mountPoints: readonly {
    readonly sourceVolume: string;
    readonly containerPath: string;
    readonly readOnly: boolean;
  }[];
  readonly volumesFrom: readonly { readonly sourceContainer: string; readonly readOnly: boolean }[];
  readonly links: readonly string[];
  readonly dependsOn: readonly { readonly containerName: string; readonly condition: string }[];
  readonly startTimeout?: number;
  readonly stopTimeout?: number;
  readonly restartPolicy?: {
    readonly enabled: boolean;
    readonly ignoredExitCodes: readonly number[];
    readonly restartAttemptPeriod: number;
  };
  readonly healthCheckType?: 'docker';
  readonly registryAuthentication?: {
    readonly type: 'ecr';
    readonly ecrAuthData: {
      readonly registryId: string;
      readonly region: string;
      readonly endpointOverride: string;
      readonly useExecutionRole: boolean;
    };
  };
  /** Docker Engine API JSON, as strings. */
  readonly dockerConfig: { readonly version: string; readonly config: string; readonly hostConfig: string };
}

/** A task in a `PayloadMessage`, in the shape of the ACS model of amazon-ecs-agent. */
export interface AcsTask {
  readonly arn: string;
  readonly taskClusterArn: string;
  readonly family: string;
  readonly version: string;
  readonly desiredStatus: 'RUNNING' | 'STOPPED';
  /**
   * The status the control plane knows; not in the ACS model, so amazon-ecs-agent ignores it. Ours does not start a
   * task again that is known as RUNNING and has no containers any more: it reports it as stopped.
   */
  readonly knownStatus: string;
  readonly networkMode?: string;
  readonly launchType?: string;
  readonly group?: string;
  readonly serviceName?: string;
  readonly overrides?: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly volumes: readonly {
    readonly name: string;
    readonly type: string;
    readonly host?: { readonly sourcePath?: string };
    readonly dockerVolumeConfiguration?: {
      readonly scope: string;
      readonly autoprovision: boolean;
      readonly driver: string;
      readonly driverOpts: Readonly<Record<string, string>>;
      readonly labels: Readonly<Record<string, string>>;
    };
  }[];
  readonly containers: readonly AcsContainer[];
  readonly roleCredentials?: AcsCredentials;
  readonly executionRoleCredentials?: AcsCredentials;
}

/** What an agent sends on the control connection; other types are ignored, as the protocol asks. */
export const agentMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('AckRequest'), message: z.object({ messageId: z.string() }) }),
  z.object({ type: z.literal('HeartbeatAckRequest'), message: z.object({ messageId: z.string() }) }),
  z.object({
    type: z.literal('IAMRoleCredentialsAckRequest'),
    message: z.object({ messageId: z.string().optional(), credentialsId: z.string().optional() }),
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

const statistics = z.object({ min: z.number(), max: z.number(), sum: z.number(), sampleCount: z.number() }).partial();

/** What an agent sends on the telemetry connection. */
export const telemetryMessage = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('PublishHealthRequest'),
    message: z.object({
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
      taskMetrics: z
        .array(
          z.object({
            taskArn: z.string(),
            containerMetrics: z
              .array(
                z.object({
                  containerName: z.string().optional(),
                  cpuStatsSet: statistics.optional(),
                  memoryStatsSet: statistics.optional(),
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
      statuses: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
    }),
  }),
]);

export type AgentMessage = z.infer<typeof agentMessage>;
export type TelemetryMessage = z.infer<typeof telemetryMessage>;

/** Parses one text frame; undefined for what this side has no use for. @throws SyntaxError on text that is not JSON */
export function parseFrame<T>(schema: z.ZodType<T>, text: string): T | undefined {
  const parsed = schema.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data : undefined;
}

/**
 * The JSON of a telemetry frame. The agent puts the signed headers of a request before it, line by line and ended by an
 * empty line; the connection itself was authenticated at the upgrade, so they are only skipped here.
 */
export function telemetryBody(frame: string): string {
  if (frame.startsWith('{')) return frame;
  const end = frame.indexOf('\r\n\r\n');
  return end < 0 ? frame : frame.slice(end + 4);
}
