import { z } from 'zod';

/**
 * Copies of files from and to containers: an archive (tar) goes in frames between a client and a host, through the server that the client
 * came to, and what both say beside it as text. Nobody reads more of a connection than the one it goes on to takes.
 */

/** Where clients open the connection of a copy, signed for `ecs` as any call is. */
export const copyPath = '/exec/copy';

export const copyLimits = {
  /** Bytes of one frame. */
  frameBytes: 64 * 1024,
  /** Bytes, and frames, that wait in one process for the next one: then no more is read. A frame takes more memory than its bytes. */
  waitingBytes: 1024 * 1024,
  waitingFrames: 256,
  /** Of what is said beside it. */
  textBytes: 16 * 1024,
  /** Of a path in a container, as Linux has it. */
  pathBytes: 4096,
} as const;

const nothing = z.object({});
const path = z.string().min(1).max(copyLimits.pathBytes);
/** Of a file, and of no folder above: clients make one that is called so. */
const fileName = z
  .string()
  .max(255)
  .regex(/^[^/\0]+$/)
  .refine((name) => name !== '.' && name !== '..');

/** What a client says: the archive that it sends is whole. */
export const copyRequest = z.object({ type: z.literal('CopyInputEnd'), message: nothing });

const start = z.object({
  type: z.literal('CopyStart'),
  message: z.object({
    sessionId: z.string().min(1).max(64),
    taskArn: z.string().min(1).max(2048),
    containerName: z.string().min(1).max(255),
    /** Docker's id of the container: another run of it is another container. */
    runtimeId: z.string().regex(/^[0-9a-f]{64}$/),
    direction: z.enum(['from', 'to']),
    path,
  }),
});

/** What a host is told: what a server asks for, and then what the client says. */
export const copyOrder = z.discriminatedUnion('type', [start, copyRequest]);

/** What a host says, which is for the client. */
export const copyReport = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('CopyReady'),
    message: z.object({
      /** What is at the path now. */
      is: z.enum(['folder', 'other', 'nothing']),
      /** What the archive's one file or folder must be called to get where it was asked for; undefined where it goes into the folder. */
      name: fileName.optional(),
    }),
  }),
  /** It is not copied, or not any further. */
  z.object({ type: z.literal('CopyRefused'), message: z.object({ reason: z.string().max(1024) }) }),
  /** All of it is there. */
  z.object({ type: z.literal('CopyEnd'), message: nothing }),
]);

export type CopyStart = z.output<typeof start>['message'];
export type CopyOrder = z.output<typeof copyOrder>;
export type CopyReport = z.output<typeof copyReport>;

/** The text frame of a message. */
export const copyFrame = (message: CopyOrder | CopyReport): Buffer => Buffer.from(JSON.stringify(message));

/** What a text frame says; undefined for what this side has no use for, or cannot read. */
export function parseCopyFrame<T>(schema: z.ZodType<T>, frame: Buffer): T | undefined {
  if (frame.length > copyLimits.textBytes) return undefined;
  try {
    return schema.safeParse(JSON.parse(frame.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Parts of an archive of one frame each. */
export function* framesOf(bytes: Buffer): Generator<Buffer> {
  for (let from = 0; from < bytes.length; from += copyLimits.frameBytes)
    yield bytes.subarray(from, from + copyLimits.frameBytes);
}
