export { createScaling, scalingOperations, scalingProtocol, scalingSchemas } from './create-scaling.ts';
