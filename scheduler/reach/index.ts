export { firelensBuffer, firelensOwnOptions, outputOption, refuseRouted, refuseRouter } from './firelens.ts';
export { type LogRule, refuseLogOptions, settleLogOptions } from './log-options.ts';
export { ImageRefused, RegistryRule, RegistryUnresolved } from './registries.ts';
export { refuseReach, serverReach, type TaskReach } from './task-reach.ts';
