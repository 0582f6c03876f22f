import { z } from 'zod';

/** Below it an agent opens a connection for each session of ECS Exec that it serves. */
export const execPath = '/agent/exec';
/** Where it opens one for each copy of files. */
export const copyPath = `${execPath}/copy`;

/** What each side may send before the other one says that it has used it. */
export const execLimits = {
  /** Bytes of input on their way to the agent: at first, and once it has said (`ExecCredit`) that it takes more. */
  firstInputBytes: 256 * 1024,
  inputBytes: 1024 * 1024,
  /** Bytes of output on their way to the server. */
  outputBytes: 1024 * 1024,
  /** Bytes of output in one frame, which has one more. */
  chunkBytes: 64 * 1024 - 1,
  /** Bytes of one frame; those of clients that a host carries from one server to another have a header. */
  frameBytes: 65 * 1024,
  /** Bytes of them on their way at most: what is left out beyond them is sent again by whoever sent it. */
  carriedBytes: 4 * 1024 * 1024,
  /** Bytes that were used until it is worth a frame to say so: what waits for room has more than that. */
  creditBytes: 64 * 1024,
} as const;

/** The status that an agent closes a session's connection with which it was told to end. */
export const execEnded = 4000;
/** The status that an agent closes the connection of a client with that came again, for a session that is over on its host. */
export const execLost = 4001;

/** What a frame of so many bytes counts against what may be sent: each takes memory where it waits, however short it is. */
export const execCost = (bytes: number): number => bytes + 64;

/** The first byte of a binary frame from an agent: what the command wrote it to. Binary frames to agents are input alone. */
export const execStream = { stdout: 1, stderr: 2 } as const;

const side = z.number().int().min(1).max(65_535);
const size = z.object({ cols: side, rows: side });
const credit = z.object({
  type: z.literal('ExecCredit'),
  message: z.object({ bytes: z.number().int().min(1).max(execLimits.outputBytes) }),
});

/** What servers say on a session's connection. */
export const execOrder = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('ExecStart'),
    message: size.extend({
      sessionId: z.string().min(1).max(64),
      taskArn: z.string().min(1).max(2048),
      containerName: z.string().min(1).max(255),
      /** Docker's id of the container: another run of it is another container. */
      runtimeId: z.string().regex(/^[0-9a-f]{64}$/),
      command: z.array(z.string().max(16_384)).min(1).max(1_024),
      tty: z.boolean(),
    }),
  }),
  z.object({ type: z.literal('ExecResize'), message: size }),
  z.object({ type: z.literal('ExecInputEnd'), message: z.object({}) }),
  credit,
]);

/** What agents say on it. */
export const execReport = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ExecRefused'), message: z.object({ reason: z.string().max(1024) }) }),
  z.object({ type: z.literal('ExecExit'), message: z.object({ code: z.number().int().min(-1).max(65_535) }) }),
  credit,
]);

/** What an agent is to run. */
export type ExecStart = Extract<z.output<typeof execOrder>, { type: 'ExecStart' }>['message'];
export type ExecReport = z.output<typeof execReport>;
export type ExecOrder = z.output<typeof execOrder>;
