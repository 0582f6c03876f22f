/** What this process did for subscription filters, since it began. */
export interface DeliveryNumbers {
  /** Events that receivers took, events that were given up, calls that were not taken. */
  delivered: number;
  dropped: number;
  failures: number;
  /** By account: filters whose receiver did not take the last call; of accounts that this process looks after. */
  readonly failing: Map<string, number>;
}

export const noDeliveries = (): DeliveryNumbers => ({ delivered: 0, dropped: 0, failures: 0, failing: new Map() });
