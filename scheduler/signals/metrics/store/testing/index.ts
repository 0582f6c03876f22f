/** A metric store for tests and simulations. */
export { MemoryMetrics } from './memory-metrics.ts';
