export { ecrClient, loggedIn, passwordOf } from './docker-client.ts';
export { type EngineName, type Engines, engineNames, missingEngine, startEngines } from './engines.ts';
export { pushImage } from './push-image.ts';
export { account, type ServedRegistry, serveRegistry } from './serve-registry.ts';
export { type PushedImage, seeded, testSeed, Traffic } from './traffic.ts';
