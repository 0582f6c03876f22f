export { createScaling, scalingOperations, scalingProtocol, scalingSchemas } from './create-scaling.ts';
export { notServed } from './not-served.ts';
