/** Parameters and their values, and the API of Parameter Store. */
export { createParameterStore, parametersSchemas } from './create-parameter-store.ts';
export { parameterArn, readReference } from './names.ts';
export { parameterRows } from './records.ts';
export { newest, Parameters } from './store.ts';
