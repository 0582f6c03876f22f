export type { RegistryMeter, RegistryPorts } from './ports.ts';
export { openRegistry, type RegistryPart } from './open-registry.ts';
