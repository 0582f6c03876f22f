export { check, type CommandOptions, type CommandResult, run, until } from './command.ts';
export { DockerCli, makeImage, missingDocker, type TestImage, webCommand, webImage } from './docker.ts';
export { freePort, ServerProcess } from './server-process.ts';
