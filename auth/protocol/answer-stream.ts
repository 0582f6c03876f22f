import type { NormalizedSchema } from '@smithy/core/schema';
import { encodeEvent, encodeInitial, type EventFormat, eventStreamType, type StreamEvent } from './event-stream.ts';
import type { OperationModel } from './model.ts';
import type { WireAnswer } from './wire.ts';

/** The member of an output that is a stream of events (`responseStream` of StartLiveTail), where there is one. */
export function streamOf({ output }: OperationModel): readonly [name: string, union: NormalizedSchema] | undefined {
  for (const [name, member] of output?.structIterator() ?? [])
    if (member.isStreaming() && member.isStructSchema()) return [name, member];
  return undefined;
}

/**
 * An answer whose events leave as they come.
 * @param initial whether the protocol sends the output's other members as the first event (RPC protocols do)
 * @throws TypeError when the output holds no stream
 */
export function streamAnswer(
  operation: OperationModel,
  output: unknown,
  format: EventFormat,
  initial: boolean,
): WireAnswer {
  const [name, union] = streamOf(operation) as readonly [string, NormalizedSchema];
  const { [name]: events, ...others } = output as Record<string, unknown>;
  if (typeof events !== 'object' || events === null || !(Symbol.asyncIterator in events))
    throw new TypeError(`${operation.name} answers with a stream of events in ${name}`);
  return {
    status: 200,
    contentType: eventStreamType,
    body: frames(operation, events as AsyncIterable<StreamEvent>, others, union, format, initial),
  };
}

async function* frames(
  operation: OperationModel,
  events: AsyncIterable<StreamEvent>,
  others: object,
  union: NormalizedSchema,
  format: EventFormat,
  initial: boolean,
): AsyncGenerator<Buffer> {
  if (initial) yield encodeInitial(format, format.encode(operation.output as NormalizedSchema, others));
  for await (const event of events) yield encodeEvent(union, event, format);
}
