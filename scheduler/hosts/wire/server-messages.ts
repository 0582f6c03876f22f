import { z } from 'zod';

const strings = z.record(z.string(), z.string());

const credentials = z.object({
  credentialsId: z.string(),
  roleArn: z.string().default(''),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  sessionToken: z.string().default(''),
  expiration: z.string(),
});

const container = z.object({
  name: z.string().min(1),
  image: z.string().min(1),
  essential: z.boolean().default(true),
  cpu: z.number().default(0),
  memory: z.number().default(0),
  entryPoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  environment: strings.default({}),
  environmentFiles: z.array(z.unknown()).default([]),
  secrets: z.array(z.unknown()).default([]),
  portMappings: z
    .array(
      z.object({
        containerPort: z.number().optional(),
        containerPortRange: z.string().optional(),
        hostPort: z.number().default(0),
        protocol: z.string().default('tcp'),
      }),
    )
    .default([]),
  overrides: z.string().default('{}'),
  mountPoints: z
    .array(
      z.object({ sourceVolume: z.string(), containerPath: z.string().min(1), readOnly: z.boolean().default(false) }),
    )
    .default([]),
  volumesFrom: z.array(z.object({ sourceContainer: z.string(), readOnly: z.boolean().default(false) })).default([]),
  links: z.array(z.string()).default([]),
  dependsOn: z
    .array(z.object({ containerName: z.string(), condition: z.enum(['START', 'COMPLETE', 'SUCCESS', 'HEALTHY']) }))
    .default([]),
  startTimeout: z.number().optional(),
  stopTimeout: z.number().optional(),
  restartPolicy: z
    .object({
      enabled: z.boolean().default(false),
      ignoredExitCodes: z.array(z.number()).default([]),
      restartAttemptPeriod: z.number().default(300),
    })
    .optional(),
  healthCheckType: z.string().optional(),
  registryAuthentication: z
    .object({
      type: z.string(),
      ecrAuthData: z
        .object({
          registryId: z.string().optional(),
          region: z.string().optional(),
          endpointOverride: z.string().optional(),
          useExecutionRole: z.boolean().default(false),
        })
        .optional(),
    })
    .optional(),
  dockerConfig: z
    .object({ config: z.string().default('{}'), hostConfig: z.string().default('{}') })
    .default({ config: '{}', hostConfig: '{}' }),
});

const volume = z.object({
  name: z.string(),
  type: z.string().optional(),
  host: z.object({ sourcePath: z.string().optional() }).optional(),
  dockerVolumeConfiguration: z
    .object({
      scope: z.string().default('task'),
      autoprovision: z.boolean().default(false),
      driver: z.string().default('local'),
      driverOpts: strings.default({}),
      labels: strings.default({}),
    })
    .optional(),
});

/** A task as a payload carries it. */
export const taskSchema = z.object({
  arn: z.string().min(1),
  taskClusterArn: z.string().default(''),
  family: z.string().default(''),
  version: z.string().default('0'),
  desiredStatus: z.enum(['RUNNING', 'STOPPED']),
  knownStatus: z.string().optional(),
  networkMode: z.string().default('bridge'),
  launchType: z.string().optional(),
  serviceName: z.string().optional(),
  cpu: z.number().optional(),
  memory: z.number().optional(),
  pidMode: z.string().optional(),
  ipcMode: z.string().optional(),
  volumes: z.array(volume).default([]),
  containers: z.array(container).default([]),
  roleCredentials: credentials.optional(),
  executionRoleCredentials: credentials.optional(),
});

export type AgentTask = z.infer<typeof taskSchema>;
export type AgentContainer = z.infer<typeof container>;
export type AgentVolume = z.infer<typeof volume>;
export type RoleCredentials = z.infer<typeof credentials>;

const identifiers = z.array(z.object({ taskArn: z.string() })).default([]);

/** What the control plane sends. Tasks of a payload are parsed one by one, so that a bad one spoils no other. */
export const serverMessage = z.discriminatedUnion('type', [
  z.object({ type: z.literal('HeartbeatMessage'), message: z.object({ messageId: z.string().optional() }) }),
  z.object({
    type: z.literal('PayloadMessage'),
    message: z.object({
      messageId: z.string(),
      seqNum: z.number().default(0),
      tasks: z.array(z.unknown()).default([]),
    }),
  }),
  z.object({
    type: z.literal('IAMRoleCredentialsMessage'),
    message: z.object({
      messageId: z.string(),
      taskArn: z.string(),
      roleType: z.enum(['TaskApplication', 'TaskExecution']),
      roleCredentials: credentials,
    }),
  }),
  z.object({
    type: z.literal('TaskManifestMessage'),
    message: z.object({ messageId: z.string(), timeline: z.number().default(0), tasks: identifiers }),
  }),
  z.object({
    type: z.literal('TaskStopVerificationAck'),
    message: z.object({ messageId: z.string(), stopTasks: identifiers }),
  }),
]);

/** The identity of a task that could not be parsed, when that much is there. */
export const brokenTask = z.object({ arn: z.string().min(1) });
