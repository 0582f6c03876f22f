/** Groups of hosts that follow the tasks of their capacity providers. */
export type { CapacityPorts, SizedGroup, SizedGroups, SizedMachine } from './ports.ts';
export { scaleCapacity } from './scale-capacity.ts';
