/** Told of what the registry moves and looks up; the composition root makes metrics of it. */
export interface Meter {
  /** Bytes of blobs that uploads brought. */
  received(bytes: number): void;
  /** Bytes of blobs that were sent from here. */
  sent(bytes: number): void;
  /** Whether a manifest's bytes were in memory. */
  looked(hit: boolean): void;
  /** Another registry did not give what it was asked for. @param cause a word of few */
  upstreamFailed(upstream: string, cause: string): void;
}

export const noMeter: Meter = { received: () => {}, sent: () => {}, looked: () => {}, upstreamFailed: () => {} };
