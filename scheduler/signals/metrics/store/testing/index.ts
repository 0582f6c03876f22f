/** A metric store for tests and simulations. */
export { MemoryMetrics } from './memory-metrics.ts';
export { openedMetrics, upkeep } from './opened.ts';
