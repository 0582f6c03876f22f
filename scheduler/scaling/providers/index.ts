export { type InstanceProvider, type MachineSpec, type ProvidedMachine, ProviderError } from './instance-provider.ts';
export { commandProvider, type CommandProviderOptions } from './command.ts';
export { dockerProvider, type DockerProviderOptions, overlap, routes, unfit, whatLacks } from './docker/index.ts';
