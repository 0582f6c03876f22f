import { streamAnswer, streamOf } from './answer-stream.ts';
import { inputError } from './json-codec.ts';
import { decodeRest, encodeRestBody, type RestRequest, restStatus } from './rest.ts';
import { type Codec, statusOf } from './wire.ts';

const contentType = 'application/json';

/** restJson1: members in paths, queries, headers and a JSON body; answers are JSON bodies. */
export const restCodec: Codec = {
  decode: (operation, request, constraints) => decodeRest(operation.input, request as RestRequest, constraints),
  encode(operation, output) {
    if (streamOf(operation) !== undefined)
      return streamAnswer(operation, output, { contentType, encode: encodeRestBody }, false);
    const status = restStatus(operation);
    const body =
      operation.output === undefined || status === 204
        ? Buffer.alloc(0)
        : encodeRestBody(operation.output, output ?? {});
    return { status, contentType, body };
  },
  error(error, model) {
    const modeled = model?.errors.get(error.code);
    const members =
      modeled === undefined
        ? {}
        : (JSON.parse(encodeRestBody(modeled.schema, error.members ?? {}).toString('utf8')) as Record<string, unknown>);
    return {
      status: statusOf(error, modeled?.status),
      contentType,
      headers: { 'x-amzn-errortype': modeled?.name ?? error.code },
      body: Buffer.from(JSON.stringify({ ...members, message: error.message })),
    };
  },
  inputError,
};
