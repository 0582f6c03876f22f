/** Keeps what a session writes. */
export interface Recorder {
  /** Takes output in; after {@link isFull} nothing more should come. */
  write(bytes: Buffer): void;
  /** Whether so much waits to be stored that no more output may come. */
  readonly isFull: boolean;
  /** Called when that is over. */
  drained: () => void;
  /** Stores what is left. */
  end(): Promise<void>;
}
