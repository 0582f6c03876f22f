/** What becomes of an event that a filter lets through. */
export interface MetricTransformation {
  readonly namespace: string;
  readonly name: string;
  /** A number, or the field that has it: `$.bytes`, `$bytes`. */
  readonly value: string;
  /** Told for a minute in which events came and none was let through. */
  readonly defaultValue?: number | undefined;
  /** By the name of the dimension, the field that has its value. */
  readonly dimensions?: { readonly [name: string]: string } | undefined;
  readonly unit: string;
}

/** A metric filter of a group, under the id of the group and its own name. */
export interface MetricFilterRecord {
  readonly pattern: string;
  readonly transformation: MetricTransformation;
  /** Milliseconds since the epoch: what came before counts in nothing. */
  readonly createdAt: number;
}
