export { codecFor, type Codec, type WireAnswer, type WireError } from './codec.ts';
export { encodeEc2Error } from './xml.ts';
export { readForm } from './form.ts';
export { type ErrorModel, modelOf, type OperationModel, type ServiceModel } from './model.ts';
export { InputError, type Problem } from './problems.ts';
export { parseQuery, type QueryRequest } from './query.ts';
