/** Traffic engines: what they are told, what they answer, and those that there are. */
export {
  type Applied,
  type BindResult,
  type Counts,
  EngineError,
  isQuiet,
  type Observation,
  type TargetObservation,
  type TrafficEngine,
} from './contract.ts';
export { type HaproxyOptions, openHaproxy } from './haproxy/engine.ts';
