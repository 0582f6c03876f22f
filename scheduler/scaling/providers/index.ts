export { type InstanceProvider, type MachineSpec, type ProvidedMachine, ProviderError } from './instance-provider.ts';
export { commandProvider, type CommandProviderOptions } from './command.ts';
