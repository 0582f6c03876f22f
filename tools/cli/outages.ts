import { CliError, explained } from './errors.ts';
import { harmless, note } from './output.ts';
import { ApiError } from './query-api.ts';

/** Looks that are made again and again, also while a server is away: what is wrong is said once, until something else is. */
export class Outages {
  readonly #patience: number;
  /** When the first look failed since one that did not. */
  #since: number | undefined;
  #told = '';

  /** @param patience for how long a server may be away, milliseconds */
  constructor(patience = Infinity) {
    this.#patience = patience;
  }

  /** Whether the last look failed. */
  get isOn(): boolean {
    return this.#since !== undefined;
  }

  /** A look failed. @throws the error where the server was away for long enough */
  failed(error: unknown): void {
    const now = performance.now();
    this.#since ??= now;
    if (now - this.#since >= this.#patience) throw error;
    const { told } = explained(error);
    if (told !== this.#told) note(harmless(`slipway: ${told}; trying again`));
    this.#told = told;
  }

  /** A look has seen everything. */
  over(): void {
    this.#since = undefined;
    this.#told = '';
  }
}

/** A server that is away comes again; what it said no to it would say no to again: by our own clients, or by that of ECS. */
export function isFinal(error: unknown): boolean {
  if (error instanceof CliError && !(error instanceof ApiError)) return true;
  const { name, $metadata } = error as Error & { readonly $metadata?: { readonly httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode ?? 0;
  const code =
    error instanceof ApiError ? error.code : status >= 400 && status < 500 && status !== 429 ? name : undefined;
  return code !== undefined && !/Throttling|TooManyRequests|Unavailable|Internal|Timeout|^(5|429)/.test(code);
}
