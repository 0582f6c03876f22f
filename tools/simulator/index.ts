export { simulate, type SimulationOptions, type SimulationResult } from './simulation.ts';
export { generateMix, type MixOptions } from './workload.ts';
export { measureSimulation, type SimulationFigures, type SpeedSize } from './speed.ts';
