import type { Problem } from './problems.ts';
import { decodeEc2Query, decodeQuery, parseQuery, type QueryRequest } from './query.ts';
import { type Codec, lowerFirst, sentence, statusOf, validationMessage, type WireRequest } from './wire.ts';
import { encodeEc2, encodeEc2Error, encodeQuery, encodeQueryError } from './xml.ts';

/** The Query protocol of IAM, STS and their time. */
export const queryCodec = (namespace: string): Codec => ({
  decode: (operation, request, constraints) => decodeQuery(operation.input, formOf(request), constraints),
  encode: (operation, output, requestId) => ({
    status: 200,
    contentType: 'text/xml',
    body: encodeQuery(operation, output ?? {}, namespace, requestId),
  }),
  error(error, model, requestId) {
    const modeled = model?.errors.get(error.code);
    const status = statusOf(error, modeled?.queryStatus);
    const code = modeled?.queryCode ?? error.code;
    const body = encodeQueryError(
      { code, message: error.message, fault: status >= 500 ? 'Receiver' : 'Sender' },
      namespace,
      requestId,
    );
    return { status, contentType: 'text/xml', body };
  },
  inputError(error) {
    const first = error.problems[0] as Problem;
    if (first.kind === 'serialization') return { code: 'MalformedInput', message: sentence(first) };
    return { code: 'ValidationError', message: validationMessage(error.problems, lowerFirst) };
  },
});

const formOf = (request: WireRequest): QueryRequest =>
  Buffer.isBuffer(request) ? parseQuery(request.toString('utf8')) : (request as QueryRequest);

/** EC2's own form of it. */
export const ec2Codec = (namespace: string): Codec => ({
  decode: (operation, request, constraints) => decodeEc2Query(operation.input, formOf(request), constraints),
  encode: (operation, output, requestId) => ({
    status: 200,
    contentType: 'text/xml;charset=UTF-8',
    body: encodeEc2(operation, output ?? {}, namespace, requestId),
  }),
  error: (error, model, requestId) => ({
    status: statusOf(error, model?.errors.get(error.code)?.status),
    contentType: 'text/xml;charset=UTF-8',
    body: encodeEc2Error(error, requestId),
  }),
  inputError(error) {
    const first = error.problems[0] as Problem;
    if (first.rule === 'Member must not be null')
      return { code: 'MissingParameter', message: `The request must contain the parameter ${first.path}` };
    const what = first.kind === 'serialization' ? sentence(first) : validationMessage(error.problems, (path) => path);
    return { code: 'InvalidParameterValue', message: what };
  },
});
