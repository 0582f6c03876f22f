import type { ServiceDefinition } from './service.ts';
import type { UpgradeService } from './upgrade.ts';
import type { WebService } from './web.ts';

/** Work that one server of the installation does now and then. */
export interface Job {
  readonly name: string;
  /** Milliseconds between the end of a run and the start of the next. */
  readonly every: number;
  /** Returns what to log about the run; undefined when there is nothing to tell. */
  readonly run: (signal: AbortSignal) => Promise<object | undefined>;
}

/** A number that is worked out when somebody asks for metrics. */
export interface PartGauge {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  /** `counter`: it only rises, unless what it is about goes. Default `gauge`. */
  readonly kind?: 'gauge' | 'counter';
  /**
   * How the processes of a machine make one number of it: `one` of them says it, since all would say the same; or each says its own,
   * and they are added up (`sum`), or the greatest counts (`max`).
   */
  readonly across: 'one' | 'sum' | 'max';
  readonly read: () => Promise<
    readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[]
  >;
}

/** A histogram that was counted elsewhere, said by one process of a machine, since all would say the same. */
export interface PartHistogram extends Pick<PartGauge, 'name' | 'help' | 'labels'> {
  readonly across: 'one';
  /** Upper bounds of its classes, rising, without the one that takes the rest. */
  readonly bounds: readonly number[];
  /** How many fell into each class, one more than there are bounds, and the sum of all. */
  readonly read: () => Promise<
    readonly {
      readonly labels: Readonly<Record<string, string>>;
      readonly classes: readonly number[];
      readonly sum: number;
    }[]
  >;
}

/** What a package adds to an installation; the composition root puts the parts behind one gateway. */
export interface Part {
  /** APIs of AWS. */
  readonly services: readonly ServiceDefinition[];
  /** Everything else that is spoken over HTTP. */
  readonly web: readonly WebService[];
  /** Connections that are kept open. */
  readonly upgrades: readonly UpgradeService[];
  readonly jobs: readonly Job[];
  readonly gauges: readonly (PartGauge | PartHistogram)[];
  /**
   * Begins what goes on by itself, once the server listens. Resolves when the part is of use.
   * @param role `upkeep`: with what one process of a machine does for all of them
   */
  start(role: { readonly upkeep: boolean }): Promise<void>;
  /** Ends what goes on by itself and connections that are kept open, while requests are still answered. Harmless when never started. */
  stop(): Promise<void>;
  /** Gives up what is held; no request is under way any more. */
  close(): Promise<void>;
}
