/** Traffic engines: what they are told, what they answer, and those that there are. */
export {
  addCounts,
  addCodes,
  codesBetween,
  countsBetween,
  latencyBounds,
  latencyClass,
  noCodes,
  noCounts,
  quantile,
} from './counts.ts';
export {
  type Applied,
  type BindResult,
  type Codes,
  type Counts,
  EngineError,
  isQuiet,
  type Observation,
  type TargetObservation,
  type TrafficEngine,
} from './contract.ts';
export { readApplied, writeApplied } from './embedded/protocol.ts';
export { type EmbeddedOptions, openEmbedded } from './embedded/engine.ts';
export { type HaproxyOptions, openHaproxy } from './haproxy/engine.ts';
