/** A place in an order. */
export class Place<T> {
  readonly item: T;
  /** Undefined while it is in no order. */
  before: Place<T> | undefined;
  after: Place<T> | undefined;

  constructor(item: T) {
    this.item = item;
  }
}

/**
 * Things in the order in which they were last used, the one that was not for longest first. Each use is a few assignments, as
 * it comes with each request; a Map that keys are removed from and put back into is written anew again and again.
 */
export class Recency<T> {
  /** Where the order begins and ends. */
  #first: Place<T> | undefined;
  #last: Place<T> | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Puts a place that is in no order last. */
  add(place: Place<T>): void {
    place.before = this.#last;
    place.after = undefined;
    if (this.#last === undefined) this.#first = place;
    else this.#last.after = place;
    this.#last = place;
    this.#size++;
  }

  /** Takes a place out that is in this order. */
  remove(place: Place<T>): void {
    const { before, after } = place;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    place.before = place.after = undefined;
    this.#size--;
  }

  /** Moves a place that is in this order to its end. */
  use(place: Place<T>): void {
    if (place === this.#last) return;
    this.remove(place);
    this.add(place);
  }

  /** From the one that was not used for longest; what was met may be removed, what comes after it may not. */
  *[Symbol.iterator](): Generator<T> {
    for (let place = this.#first; place !== undefined;) {
      const { item, after } = place;
      yield item;
      place = after;
    }
  }
}
