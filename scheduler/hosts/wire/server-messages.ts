import { z } from 'zod';
import { networkState } from './network.ts';
import { networkChange } from './network-change.ts';
import { credentials } from './task.ts';

const identifiers = z
  .array(
    z.object({
      taskArn: z.string(),
      taskClusterArn: z.string().optional(),
      desiredStatus: z.enum(['RUNNING', 'STOPPED']).optional(),
    }),
  )
  .default([]);

/** Where a command is for, and its place among the commands of all connections. */
const command = {
  messageId: z.string(),
  clusterArn: z.string().optional(),
  containerInstanceArn: z.string().optional(),
  seqNum: z.number().default(0),
  timeline: z.number().default(0),
  /** Milliseconds. */
  generatedAt: z.number().optional(),
  /**
   * The installation that speaks, the same on all its servers; not in the ACS model, so amazon-ecs-agent ignores it. Ours writes it
   * on containers, to know them again after its data folder was lost.
   */
  installation: z.string().max(64).optional(),
};

const heartbeat = z.object({
  type: z.literal('HeartbeatMessage'),
  message: z.object({ messageId: z.string().optional(), healthy: z.boolean().optional() }),
});

/** What the control plane sends on the control connection. Tasks of a payload are parsed one by one, so that a bad one spoils no other. */
export const serverMessage = z.discriminatedUnion('type', [
  heartbeat,
  z.object({
    type: z.literal('PayloadMessage'),
    message: z.object({ ...command, tasks: z.array(z.unknown()).default([]) }),
  }),
  z.object({
    type: z.literal('IAMRoleCredentialsMessage'),
    message: z.object({
      messageId: z.string(),
      taskArn: z.string(),
      taskClusterArn: z.string().optional(),
      roleType: z.enum(['TaskApplication', 'TaskExecution']),
      roleCredentials: credentials,
    }),
  }),
  z.object({
    type: z.literal('TaskManifestMessage'),
    message: z.object({ ...command, tasks: identifiers }),
  }),
  /** A client waits for a session of ECS Exec: our agent opens a connection for it. Not in the ACS model. */
  z.object({
    type: z.literal('ExecSessionMessage'),
    message: z.object({
      messageId: z.string(),
      sessionId: z.string().min(1).max(64),
      taskArn: z.string(),
      /** The client came again, for the so manyeth time, to a server that has not the session. */
      carry: z.number().int().min(1).optional(),
      /** The session is to end. */
      end: z.boolean().optional(),
      /** Files are copied, no command is run. */
      copies: z.boolean().optional(),
    }),
  }),
  z.object({ type: z.literal('NetworkStateMessage'), message: networkState.extend(command) }),
  /** What has changed of that since another message of this connection. Not in the ACS model. */
  z.object({
    type: z.literal('NetworkChangeMessage'),
    message: z.object({
      ...command,
      /** The message, of either type, whose state it changes. */
      after: z.string(),
      change: networkChange,
    }),
  }),
  z.object({
    type: z.literal('TaskStopVerificationAck'),
    message: z.object({ messageId: z.string(), generatedAt: z.number().optional(), stopTasks: identifiers }),
  }),
]);

const heard = z.object({ message: z.string() });

/** What the control plane sends on the telemetry connection; agents have no use for it. */
export const telemetryAnswer = z.discriminatedUnion('type', [
  heartbeat,
  z.object({ type: z.literal('AckPublishHealth'), message: heard }),
  z.object({ type: z.literal('AckPublishMetric'), message: heard }),
  z.object({ type: z.literal('AckPublishInstanceStatus'), message: heard }),
]);
