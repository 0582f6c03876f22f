import type { WebSocket } from 'ws';
import type { z } from 'zod';
import type { agentMessage, telemetryMessage } from './agent-messages.ts';
import type { execOrder, execReport } from './exec.ts';
import type { logAnswer, logRequest } from './logs.ts';
import type { serverMessage, telemetryAnswer } from './server-messages.ts';

type Message = z.input<
  | typeof agentMessage
  | typeof telemetryMessage
  | typeof logRequest
  | typeof serverMessage
  | typeof telemetryAnswer
  | typeof logAnswer
  | typeof execOrder
  | typeof execReport
>;
/** What stands in a message of a type. */
export type MessageOf<T extends Message['type']> = Extract<Message, { type: T }>['message'];

/** Sends one message; nothing when the connection is on its way down (the next connection starts anew). */
export function sendMessage<T extends Message['type']>(
  ws: Pick<WebSocket, 'readyState' | 'OPEN' | 'send'>,
  type: T,
  message: MessageOf<T>,
): void {
  if (ws.readyState === ws.OPEN) ws.send(JSON.stringify({ type, message }));
}

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
