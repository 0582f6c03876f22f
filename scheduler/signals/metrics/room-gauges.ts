import type { PartGauge } from '@slipway/auth/contract';

/** What a store takes of the room that it has, and what it has; undefined where no process of this server looks after it. */
export interface WithRoom {
  readonly room: () => { readonly stored: number; readonly limit: number } | undefined;
}

/**
 * Bytes that a store of signals takes, and may take (unless that is without limit), for `/metrics`. Of several servers the one that looks
 * after the store says so.
 * @param kind as it stands in the names: `logs`, `metrics`
 */
export function roomGauges(store: WithRoom, kind: 'logs' | 'metrics'): readonly PartGauge[] {
  const gauge = (name: string, help: string, of: 'stored' | 'limit'): PartGauge => ({
    name: `slipway_${kind}_${name}_bytes`,
    help,
    labels: [],
    across: 'max',
    read: async () => {
      const value = store.room()?.[of];
      return value === undefined || !Number.isFinite(value) ? [] : [{ labels: {}, value }];
    },
  });
  return [
    gauge('stored', `Bytes that ${kind} take, where a process of this server looks after them`, 'stored'),
    gauge('limit', `Bytes that ${kind} may take (SLIPWAY_${kind.toUpperCase()}_MAX)`, 'limit'),
  ];
}
