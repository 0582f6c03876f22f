/** How the APIs over the records of load balancing declare their operations. */
export {
  type ApiOperation,
  type ApiOperations,
  type ApiPorts,
  bindAll,
  operationsOf,
  refusalsOf,
  type SceneOf,
  schemasOf,
} from './operation.ts';
export { tagsOf } from './tags.ts';
