import { type Clock, waitAtMost } from '@slipway/storage/clock';
import { z } from 'zod';

/**
 * Copies of files from and to containers: an archive (tar) goes as binary frames between a client and a host, through the server that the client
 * came to, and what both say beside it as text. Neither sends more than the other one has said that it took; what lies between needs to hold no more.
 */

/** Where clients open the connection of a copy, signed for `ecs` as any call is. */
export const copyPath = '/exec/copy';

export const copyLimits = {
  /** Bytes of an archive on their way from one end to the other. */
  windowBytes: 2 * 1024 * 1024,
  /** Bytes of one frame. */
  frameBytes: 64 * 1024,
  /** Frames on their way: each takes more memory than its bytes. A tar has none that is shorter than 512 bytes but by chance. */
  frames: 16_384,
  /** Bytes that were taken until it is worth a frame to say so. */
  creditBytes: 256 * 1024,
  /** Of what is said beside it. */
  textBytes: 16 * 1024,
  /** Of a path in a container, as Linux has it. */
  pathBytes: 4096,
} as const;

const credit = z.object({
  type: z.literal('CopyCredit'),
  message: z.object({ bytes: z.number().int().min(1).max(copyLimits.windowBytes) }),
});
const nothing = z.object({});
const path = z.string().min(1).max(copyLimits.pathBytes);
/** Of a file, and of no folder above: clients make one that is called so. */
const fileName = z
  .string()
  .max(255)
  .regex(/^[^/\0]+$/)
  .refine((name) => name !== '.' && name !== '..');

/** What a client says: the archive that it sends is whole, or it took so much. */
export const copyRequest = z.discriminatedUnion('type', [
  z.object({ type: z.literal('CopyInputEnd'), message: nothing }),
  credit,
]);

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
export const copyOrder = z.discriminatedUnion('type', [start, ...copyRequest.options]);

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
  credit,
]);

export type CopyStart = z.output<typeof start>['message'];
export type CopyRequest = z.output<typeof copyRequest>;
export type CopyOrder = z.output<typeof copyOrder>;
export type CopyReport = z.output<typeof copyReport>;

/** The text frame of a message. */
export const copyFrame = (message: CopyOrder | CopyReport): string => JSON.stringify(message);

/** What a text frame says; undefined for what this side has no use for, or cannot read. */
export function parseCopyFrame<T>(schema: z.ZodType<T>, frame: Buffer): T | undefined {
  if (frame.length > copyLimits.textBytes) return undefined;
  try {
    return schema.safeParse(JSON.parse(frame.toString('utf8'))).data;
  } catch {
    return undefined;
  }
}

/** How much one end may send, by what the other one took. */
export class CopyWindow {
  #room: number = copyLimits.windowBytes;
  #came: () => void = () => undefined;

  /** Resolves when so many bytes may be sent, or the signal aborts. @param bytes of one frame */
  async take(bytes: number, clock: Clock, signal: AbortSignal): Promise<void> {
    while (this.#room < bytes && !signal.aborted)
      await waitAtMost(Infinity, (wake) => void (this.#came = wake), clock, signal);
    this.#room -= bytes;
  }

  /** The other end took so much. */
  grant(bytes: number): void {
    this.#room = Math.min(this.#room + bytes, copyLimits.windowBytes);
    this.#came();
  }
}

/** What one end took, and when it is worth to say so. */
export class CopyTaken {
  readonly #tell: (bytes: number) => void;
  #bytes = 0;

  constructor(tell: (bytes: number) => void) {
    this.#tell = tell;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < copyLimits.creditBytes) return;
    this.#tell(this.#bytes);
    this.#bytes = 0;
  }
}

/** Parts of an archive of one frame each. */
export function* framesOf(bytes: Buffer): Generator<Buffer> {
  for (let from = 0; from < bytes.length; from += copyLimits.frameBytes)
    yield bytes.subarray(from, from + copyLimits.frameBytes);
}

/**
 * Gives the memory of a piece back that nobody reads any more. Left to the collector, the pieces of an archive gather until it goes through the
 * whole heap for them, every 64 MiB; what shares its memory with others is left to it.
 */
export function giveBack({ buffer, byteOffset, byteLength }: Buffer): void {
  if (byteOffset === 0 && byteLength === buffer.byteLength && buffer instanceof ArrayBuffer) buffer.transfer(0);
}
