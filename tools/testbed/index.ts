export { AwsCli } from './aws-cli.ts';
export { ecsClient, sdkOptions } from './aws-clients.ts';
export {
  type Balanced,
  type Beside,
  type Call,
  describeWeb,
  makeBalancer,
  makeBeside,
  shiftedBalancer,
} from './balanced-service.ts';
export { check, type CommandOptions, type CommandResult, run, until } from './command.ts';
export { DockerCli, makeImage, missingDocker, type TestImage, webCommand, webImage } from './docker.ts';
export { missingHosts, missingRunsc, startHosts, type TestHost, type TestHosts } from './hosts.ts';
export { LocalStage } from './local-stage.ts';
export { agentOf, type Machines, openMachines } from './machines.ts';
export { Ec2Client } from './query-clients.ts';
export { ownAddresses, ServerProcess } from './server-process.ts';
