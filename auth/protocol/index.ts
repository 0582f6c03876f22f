export { streamOf } from './answer-stream.ts';
export { codecFor } from './codec.ts';
export { encodeException, type StreamEvent } from './event-stream.ts';
export { matchPath, type RestRequest } from './rest.ts';
export type { Codec, WireAnswer, WireError, WireRequest } from './wire.ts';
export { readForm } from './form.ts';
export { type ErrorModel, modelOf, type OperationModel, type ServiceModel } from './model.ts';
export { InputError, type Problem } from './problems.ts';
export { parseQuery, type QueryRequest } from './query.ts';
