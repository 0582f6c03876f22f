/** How the APIs over the records of load balancing declare their operations. */
export { type ApiPorts, operationsOf } from './operation.ts';
export { tagsOf } from './tags.ts';
