export { type EngineName, type Engines, engineNames, missingEngine, startEngines } from './engines.ts';
export { type PushedImage, seeded, testSeed, Traffic } from './traffic.ts';
