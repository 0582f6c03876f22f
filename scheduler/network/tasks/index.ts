/** Network interfaces of tasks: what requests may ask for, who gets which address, and what hosts are told. */
export { TaskInterfaces } from './host-networks.ts';
export { hostState } from './host-state.ts';
export { attachTask, detachTasks, hostAddressAttribute, interfaceOf, NoInterface } from './interfaces.ts';
export { taskNetworks } from './resolve.ts';
