const hour = 3_600_000;
/**
 * Public authorities take 300 orders of an account in three hours (Let's Encrypt, "Rate Limits"), and the account is that of the
 * installation's own certificate, which must be renewed whatever is requested here.
 */
const mostAnHour = 50;

/** Keeps orders at an authority below what it takes: those that one server has begun. Times are milliseconds. */
export class OrderPace {
  #begun: readonly number[] = [];

  /** How long another order has to wait; 0 when it may begin. */
  wait(now: number): number {
    this.#begun = this.#begun.filter((at) => at > now - hour);
    const first = this.#begun[this.#begun.length - mostAnHour];
    return first === undefined ? 0 : first + hour - now;
  }

  begin(now: number): void {
    this.#begun = [...this.#begun, now];
  }

  /** The authority was not asked for the last one after all. */
  takeBack(): void {
    this.#begun = this.#begun.slice(0, -1);
  }
}
