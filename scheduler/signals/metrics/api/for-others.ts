/** What other rooms declare their operations of the same API with. */
export { combination, inOurWords, invalid, missing, notFound, unsupported } from './errors.ts';
export { declareCloudWatch, mayAny, type OperationsBeside } from './operation.ts';
export * as cloudWatchShapes from './shapes.ts';
