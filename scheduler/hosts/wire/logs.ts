import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';

import { z } from 'zod';

/**
 * What is said on the log connection (`/agent/logs/ws`): not part of amazon-ecs-agent's protocol, whose hosts ship with Docker's own
 * driver. How the two sides use it is told in `scheduler/signals/logs/shipping.md`.
 */
export const logsPath = '/agent/logs';

/** What frames and batches may hold; whoever sends more is cut off. */
export const logLimits = {
  /** Bytes of a frame on the wire. */
  frameBytes: 4 * 1024 * 1024,
  /** Bytes of the JSON inside. An entry of {@link logLimits.entryBytes} fits, also if every byte of it is written as `\u0000`. */
  rawBytes: 8 * 1024 * 1024,
  /** Containers of a batch. */
  entries: 256,
  /** Events of an entry, and of a batch. */
  events: 10_000,
  /** Bytes of an entry's messages in UTF-8 with {@link logLimits.eventOverhead} for each event, as PutLogEvents counts them. */
  entryBytes: 1024 * 1024,
  /** Bytes of a batch that is not acknowledged yet count like those of its entries; an agent has no more than this on its way. */
  unacknowledgedBytes: 4 * 1024 * 1024,
  eventOverhead: 26,
  /** UTF-8 bytes of one message: 256 KiB less what an event costs, where Docker's awslogs driver cuts. */
  messageBytes: 256 * 1024 - 26,
  /** Characters of what an agent says of its place in the engine's log. */
  resume: 1024,
} as const;

const container = { taskArn: z.string().min(1).max(2048), containerName: z.string().min(1).max(255) };
const count = z.number().int().nonnegative();

const event = z.object({
  /** Milliseconds since the epoch, when the engine saw the (first) line; a clock that is set back makes them go back. */
  timestamp: z.number().int().min(0).max(9_999_999_999_999),
  message: z.string().max(logLimits.messageBytes),
});

const entry = z.object({
  ...container,
  /** Events of a container are numbered by its agent, 1, 2, 3, …; this is the number of the first one of `events`. */
  first: z.number().int().min(1),
  events: z.array(event).max(logLimits.events),
  /** Where the agent goes on behind these events; nothing to the server but what it says again in a mark. */
  resume: z.string().min(1).max(logLimits.resume),
  /** Lines that came behind the entry before and that the agent had to drop, which have no numbers. */
  dropped: count.optional(),
  /** Whether the engine had given up lines that the agent had not read yet; nobody knows how many. */
  gap: z.boolean().optional(),
});

const batch = z.object({ id: count, entries: z.array(entry).max(logLimits.entries) });

/** Events of one container. */
export type LogEntry = z.infer<typeof entry>;
/** What one binary frame of an agent holds: zstd of JSON. */
export type LogBatch = z.infer<typeof batch>;

/** What an agent asks in text frames. */
export const logRequest = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('LogOpenRequest'),
    /** Makes sure that the task's streams are there, and asks how far its lines are stored. */
    message: z.object({ id: count, taskArn: container.taskArn }),
  }),
]);

const mark = z.object({
  containerName: container.containerName,
  /** The number of the last event that is stored. */
  last: count,
  resume: z.string().min(1).max(logLimits.resume),
});

const refused = z.object({
  /** AWS's name of the error: `ResourceNotFoundException`, `AccessDeniedException`, … */
  code: z.string().max(255),
  message: z.string().max(4096),
  /** Milliseconds after which the same may succeed. Without it these lines will never be taken. */
  retryAfter: count.optional(),
});

/** What the control plane answers in text frames. */
export const logAnswer = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('LogOpenAnswer'),
    message: z.object({
      id: count,
      taskArn: container.taskArn,
      /** Why the task must not start, as ECS says it: `ResourceInitializationError: failed to validate logger args: …`. */
      reason: z.string().max(1024).optional(),
      /** Milliseconds after which to ask again: nothing is known yet. */
      retryAfter: count.optional(),
      /** Of each container of which something is stored. */
      marks: z.array(mark).max(logLimits.entries).default([]),
    }),
  }),
  z.object({
    type: z.literal('LogAnswer'),
    message: z.object({
      /** Of the batch. */
      id: count,
      entries: z
        .array(
          z.object({
            ...container,
            /** Every event up to this number is durable. */
            last: count.optional(),
            /** Why the entry was not stored. */
            refused: refused.optional(),
          }),
        )
        .max(logLimits.entries),
    }),
  }),
  z.object({ type: z.literal('HeartbeatMessage'), message: z.object({ messageId: z.string().optional() }) }),
]);

/** Why an entry was not stored, or a stream is not there. */
export type LogRefusal = z.infer<typeof refused>;
/** How far the lines of a container are stored. */
export type LogMark = z.infer<typeof mark>;
/** What the control plane says on a log connection. */
export type LogAnswer = z.output<typeof logAnswer>;

/** A frame that is no batch, or one beyond the limits: the connection it came on has nothing more to say. */
export class LogFrameRefused extends Error {
  override readonly name = 'LogFrameRefused';
}

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** The frame of a batch. Compressing takes place beside the event loop. */
export async function encodeLogBatch(content: LogBatch): Promise<Buffer> {
  return compress(JSON.stringify(content), { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
}

/**
 * The batch of a frame. Nothing of it is inflated beyond the limit, or read before it is.
 * @throws LogFrameRefused
 */
export async function decodeLogBatch(frame: Uint8Array): Promise<LogBatch> {
  if (frame.byteLength > logLimits.frameBytes) throw new LogFrameRefused('a frame is too long');
  let content: unknown;
  try {
    const raw = await decompress(frame, { maxOutputLength: logLimits.rawBytes });
    content = JSON.parse(raw.toString('utf8'));
  } catch (cause) {
    throw new LogFrameRefused('a frame is not the zstd of JSON of an allowed length', { cause });
  }
  // Before the schema, which tells of each one what is wrong with it: a frame of a few kB may have millions.
  if (eventsIn(content) > logLimits.events) throw new LogFrameRefused('a batch has too many events');
  const parsed = batch.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const cause = new Error(`${issue?.path.map(String).join('.')}: ${issue?.message}`);
    throw new LogFrameRefused('a frame is no batch of log entries', { cause });
  }
  if (parsed.data.entries.some(({ events }) => sizeOf(events) > logLimits.entryBytes))
    throw new LogFrameRefused('an entry of a batch has too many bytes');
  return parsed.data;
}

/** How many events there are in what may be a batch. */
function eventsIn(content: unknown): number {
  const { entries } = (content ?? {}) as { entries?: unknown };
  if (!Array.isArray(entries)) return 0;
  let count = 0;
  for (const one of entries as ({ events?: unknown } | null)[])
    if (Array.isArray(one?.events)) count += one.events.length;
  return count;
}

/** What events count, bytes. */
export function sizeOf(events: LogEntry['events']): number {
  let bytes = 0;
  for (const { message } of events) bytes += Buffer.byteLength(message) + logLimits.eventOverhead;
  return bytes;
}
