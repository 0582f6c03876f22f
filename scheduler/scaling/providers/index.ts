export {
  type InstanceProvider,
  type MachineSpec,
  type ProvidedMachine,
  ProviderError,
  type Rest,
} from './instance-provider.ts';
export { commandProvider } from './command.ts';
export { readPool, sshProvider, type SshProviderOptions, standings } from './ssh/index.ts';
export { dockerProvider, overlap, routes, unfit, whatLacks } from './docker/index.ts';
