import { z } from 'zod';

const strings = z.record(z.string(), z.string());

/** Temporary credentials of a task's role. */
export const credentials = z.object({
  credentialsId: z.string(),
  roleArn: z.string().default(''),
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  sessionToken: z.string().default(''),
  /** ISO 8601. */
  expiration: z.string(),
  roleType: z.enum(['TaskApplication', 'TaskExecution']).optional(),
});

/** How the agent makes events of what a container writes; where they go the control plane knows itself. */
const logs = z.object({
  mode: z.enum(['blocking', 'non-blocking']).default('blocking'),
  /** Bytes that may wait on the host with `non-blocking`. */
  maxBufferSize: z
    .number()
    .int()
    .positive()
    .default(1024 * 1024),
  /** Two ways to tell the first line of an event: a date in the words of strftime, or a regular expression. */
  datetimeFormat: z.string().min(1).max(1024).optional(),
  multilinePattern: z.string().min(1).max(1024).optional(),
});

const container = z.object({
  name: z.string().min(1),
  image: z.string().min(1),
  essential: z.boolean().default(true),
  cpu: z.number().default(0),
  /** MiB; 0 means no hard limit. */
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
  /** A JSON string; only `command` may stand in it. */
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
  /** Of the container that takes the output of those with the log driver `awsfirelens`. */
  firelensConfiguration: z
    .object({
      type: z.string(),
      options: strings.default({}),
      /** What it says of the host in records; not in the ACS model, since amazon-ecs-agent asks a cloud. */
      ec2InstanceId: z
        .string()
        .regex(/^i-[\w-]{1,64}$/)
        .optional(),
    })
    .optional(),
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
      /** Of type `asm`: the secret that holds the registry's user and password. */
      asmAuthData: z.object({ credentialsParameter: z.string(), region: z.string().optional() }).optional(),
    })
    .optional(),
  /** Docker Engine API JSON, as strings. */
  dockerConfig: z
    .object({
      version: z.string().optional(),
      config: z.string().default('{}'),
      hostConfig: z.string().default('{}'),
    })
    .default({ config: '{}', hostConfig: '{}' }),
  /** Present when the agent ships what the container writes to CloudWatch Logs; not in the ACS model. */
  logs: logs.optional(),
  /** For amazon-ecs-agent: whose credentials Docker's driver `awslogs` gets. */
  logsAuthStrategy: z.literal('ExecutionRole').optional(),
});

/**
 * What a container is given that nobody else may know: values of variables and of options of its log driver, and the login of the registry
 * that its image is on.
 */
const containerSecrets = z.object({
  environment: strings.default({}),
  logOptions: strings.default({}),
  registry: z.object({ username: z.string(), password: z.string() }).optional(),
  /** What a log router's configuration in S3 is. */
  routerConfiguration: z.string().optional(),
});

const unixId = z
  .number()
  .int()
  .min(0)
  .max(2 ** 32 - 1);

/**
 * A folder of a file system of EFS, as the control plane found it; in the ACS model there are only the names that a task definition has.
 * It lies below the folder that the host has for file systems, under the file system's id.
 */
const fileSystem = z.object({
  id: z.string().regex(/^fs-[0-9a-f]{8,40}$/),
  /** `/`, or names behind slashes of which none leads up. */
  path: z
    .string()
    .max(250)
    .regex(/^(?:\/|(?:\/(?!\.{1,2}(?:\/|$))[^/\0\n]+)+)$/),
  /** How it is made where it is missing; permissions as octal digits. */
  creation: z.object({ uid: unixId, gid: unixId, permissions: z.string().regex(/^[0-7]{3,4}$/) }).optional(),
  /** As whom containers run that have it. */
  user: z.object({ uid: unixId, gid: unixId, secondaryGids: z.array(unixId).max(16).default([]) }).optional(),
  readOnly: z.boolean().default(false),
  /** Whether nobody may be root in it. */
  noRoot: z.boolean().default(false),
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
  fileSystem: fileSystem.optional(),
});

/**
 * A network interface of a task: the members of the ACS model that say what the address is; and, not in that model, which
 * security domain it belongs to, because our agent enforces that itself.
 */
const networkInterface = z.object({
  ec2Id: z.string().regex(/^eni-[0-9a-f]{1,40}$/),
  attachmentArn: z.string().default(''),
  macAddress: z.string().regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/),
  ipv4Addresses: z.array(z.object({ primary: z.boolean().default(true), privateAddress: z.ipv4() })).min(1),
  privateDnsName: z.string().default(''),
  vpcId: z.string().regex(/^vpc-[0-9a-z]{1,40}$/),
  securityGroups: z.array(z.string().regex(/^sg-[0-9a-z]{1,40}$/)).max(16),
  /** Whether the subnet has a way out of its VPC. */
  outside: z.boolean(),
});

/** A task as a payload carries it, in the shape of the ACS model of amazon-ecs-agent. */
export const taskSchema = z.object({
  arn: z.string().min(1),
  taskClusterArn: z.string().default(''),
  family: z.string().default(''),
  version: z.string().default('0'),
  desiredStatus: z.enum(['RUNNING', 'STOPPED']),
  /**
   * The status the control plane knows; not in the ACS model, so amazon-ecs-agent ignores it. Ours does not start a
   * task again that is known as RUNNING and has no containers any more: it reports it as stopped.
   */
  knownStatus: z.string().optional(),
  /**
   * Whether load balancers send it requests; not in the ACS model. Ours stops such a task only when it is told that none can reach it any
   * more (`drained`), or that it is to be stopped all the same (`forced`).
   */
  loadBalanced: z.boolean().optional(),
  /** Whether commands of ECS Exec may be run in its containers; not in the ACS model. */
  enableExecuteCommand: z.boolean().optional(),
  drained: z.boolean().optional(),
  forced: z.boolean().optional(),
  networkMode: z.string().default('bridge'),
  launchType: z.string().optional(),
  group: z.string().optional(),
  serviceName: z.string().optional(),
  overrides: z.string().optional(),
  /** Vcpus and MiB of the task as a whole. */
  cpu: z.number().optional(),
  memory: z.number().optional(),
  /** GiB that the files of the task may take; not in the ACS model, because our agent enforces it itself. */
  ephemeralStorage: z.number().positive().optional(),
  pidMode: z.string().optional(),
  ipcMode: z.string().optional(),
  elasticNetworkInterfaces: z.array(networkInterface).max(1).default([]),
  volumes: z.array(volume).default([]),
  containers: z.array(container).default([]),
  /** By the container's name; see {@link secretMembers}. Not in the ACS model: amazon-ecs-agent asks for values itself. */
  secretValues: z.record(z.string(), containerSecrets).optional(),
  roleCredentials: credentials.optional(),
  executionRoleCredentials: credentials.optional(),
});

/** The members of a task that are secret: whoever gets one keeps them in memory, and writes and logs what is left without them. */
export const secretMembers = ['secretValues', 'roleCredentials', 'executionRoleCredentials'] as const;

/** A task without what is secret. */
export function withoutSecrets(task: AgentTask): Omit<AgentTask, (typeof secretMembers)[number]> {
  const { secretValues: _, roleCredentials: _role, executionRoleCredentials: _execution, ...kept } = task;
  return kept;
}

/** Whether a container cannot be made without values that travel beside it. */
export const needsSecrets = (container: AgentContainer): boolean =>
  container.secrets.length > 0 ||
  container.environmentFiles.length > 0 ||
  container.registryAuthentication?.type === 'asm' ||
  container.firelensConfiguration?.options['config-file-type'] === 's3';

/** A task as whoever has read it sees it. */
export type AgentTask = z.output<typeof taskSchema>;
/** A task as it may be sent: what the reader has a default for can be left out. */
export type SentTask = z.input<typeof taskSchema>;
export type ContainerSecrets = z.output<typeof containerSecrets>;
export type AgentContainer = z.output<typeof container>;
export type AgentInterface = z.output<typeof networkInterface>;
export type ContainerLogs = z.output<typeof logs>;
export type AgentFileSystem = z.output<typeof fileSystem>;
export type AgentVolume = z.output<typeof volume>;
export type RoleCredentials = z.output<typeof credentials>;

/** The identity of a task that could not be parsed, when that much is there. */
export const brokenTask = z.object({ arn: z.string().min(1) });
