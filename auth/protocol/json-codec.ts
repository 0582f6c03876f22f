import { streamAnswer, streamOf } from './answer-stream.ts';
import { decodeJson, encodeJson } from './json.ts';
import type { InputError, Problem } from './problems.ts';
import type { ServiceModel } from './model.ts';
import { type Codec, queryErrorHeader, sentence, statusOf, validationMessage, type WireError } from './wire.ts';

/** JSON 1.0 and 1.1, by their content type. */
export const jsonCodec = (contentType: string): Codec => ({
  decode: (operation, request, constraints) => decodeJson(operation.input, request as Buffer, constraints),
  encode: (operation, output) =>
    streamOf(operation) === undefined
      ? {
          status: 200,
          contentType,
          body: operation.output === undefined ? EMPTY_OBJECT : encodeJson(operation.output, output ?? {}),
        }
      : streamAnswer(operation, output, { contentType, encode: encodeJson }, true),
  error(error, model) {
    const modeled = model?.errors.get(error.code);
    const members =
      modeled === undefined || error.members === undefined
        ? {}
        : (JSON.parse(encodeJson(modeled.schema, error.members).toString('utf8')) as Record<string, unknown>);
    // Clients read `__type` first and take a member called `code` for it, so nothing may come before or between.
    delete members['code'];
    const body = { __type: modeled?.name ?? error.code, ...members, message: error.message };
    const bytes = Buffer.from(JSON.stringify(body));
    return { status: statusOf(error, modeled?.status), contentType, body: bytes, ...queryErrorHeader(modeled) };
  },
  inputError,
});

const EMPTY_OBJECT = Buffer.from('{}');

/** How all services that speak no Query word what is wrong with an input. */
export function inputError(error: InputError, model: ServiceModel): WireError {
  const first = error.problems[0] as Problem;
  if (first.kind === 'serialization') return { code: 'SerializationException', message: sentence(first) };
  // ECR and ECS name bad members with their own error; services without one use the general name.
  const code = model.errors.has('InvalidParameterException') ? 'InvalidParameterException' : 'ValidationException';
  return { code, message: validationMessage(error.problems, (path) => path) };
}
