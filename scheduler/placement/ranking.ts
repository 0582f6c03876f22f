/** Tasks in the order in which they would end, kept up to date while what the order depends on changes. */

/** What one strategy says of a task; more is ended first. */
export interface Level {
  /** The same for tasks of which it says the same, whatever happens. */
  readonly key: string;
  /** What changes the score; undefined: nothing. */
  readonly dependsOn: string | undefined;
  readonly score: () => number;
}

/**
 * A tree with a level for each strategy: what the first sees alike is one child of the root, what the second sees alike is one child of
 * that, and so on; the tasks are at the leaves. The children of a node are a heap, the first to end at its top, so that the worst task
 * is at the top of the top of the top, and a changed score moves one child of each node that it concerns.
 */
export class Ranking {
  readonly #root = new Node(undefined, undefined);
  readonly #concerned = new Map<string, Node[]>();

  /** Adds tasks, by their positions in the order given, ascending, that are the same to every strategy. */
  add(levels: readonly Level[], positions: readonly number[]): void {
    let node = this.#root;
    for (const level of levels) {
      let child = node.children.get(level.key);
      if (child === undefined) {
        child = new Node(node, level);
        node.children.set(level.key, child);
        const { dependsOn } = level;
        if (dependsOn !== undefined) {
          const concerned = this.#concerned.get(dependsOn);
          if (concerned === undefined) this.#concerned.set(dependsOn, [child]);
          else concerned.push(child);
        }
      }
      node = child;
    }
    node.put(positions);
  }

  /** These have changed. */
  changed(what: readonly string[]): void {
    for (const name of what) for (const node of this.#concerned.get(name) ?? []) node.rescore();
  }

  /** Takes the first to end; of those that are equal the one with the lowest position. */
  takeFirst(): number {
    return this.#root.best!.take(0);
  }

  /** Takes one of those that are equally the first to end, as drawn from their positions in order. */
  takeDrawn(draw: (count: number) => number): number {
    const leaves = [...this.#root.equals()];
    const drawn = draw(leaves.reduce((sum, { positions }) => sum + positions.length, 0));
    if (leaves.length === 1) return leaves[0]!.take(drawn);
    const all = leaves.flatMap((leaf) => leaf.positions.map((position, place) => ({ leaf, position, place })));
    const { leaf, place } = all.sort((one, other) => one.position - other.position)[drawn]!;
    return leaf.take(place);
  }
}

class Node {
  readonly children = new Map<string, Node>();
  /** Of a leaf: the positions of its tasks, ascending. */
  positions: number[] = [];
  /** The leaf under it that is the first to end; undefined when no tasks are left. */
  best: Node | undefined;
  readonly #parent: Node | undefined;
  readonly #level: Level | undefined;
  readonly #depth: number;
  /** The nodes from the root's child to this one. */
  readonly #trail: readonly Node[];
  /** Of the children, those with tasks. */
  readonly #heap: Node[] = [];
  /** Where it is in its parent's heap; -1: nowhere. */
  #place = -1;
  #score = 0;

  constructor(parent: Node | undefined, level: Level | undefined) {
    this.#parent = parent;
    this.#level = level;
    this.#trail = parent === undefined ? [] : [...parent.#trail, this];
    this.#depth = this.#trail.length;
    this.#score = level?.score() ?? 0;
  }

  put(positions: readonly number[]): void {
    const first = this.positions.length === 0;
    this.positions.push(...positions);
    if (!first) this.positions.sort((one, other) => one - other);
    this.#update();
  }

  /** Takes the task at this place of the leaf. @returns its position */
  take(place: number): number {
    const [position] = this.positions.splice(place, 1);
    this.#update();
    return position!;
  }

  rescore(): void {
    const score = this.#level!.score();
    if (score === this.#score) return;
    this.#score = score;
    this.#moveUp();
  }

  /** The leaves that are, to every strategy, the first to end. */
  *equals(): Generator<Node> {
    if (this.#heap.length === 0) yield this;
    const top = this.#heap[0];
    const open = [0];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const child = this.#heap[index];
      if (child === undefined || top === undefined || Node.order(child, top) !== 0) continue;
      yield* child.equals();
      open.push(2 * index + 1, 2 * index + 2);
    }
  }

  /** A leaf's tasks have changed. */
  #update(): void {
    this.best = this.positions.length === 0 ? undefined : this;
    this.#moveUp();
  }

  /** Puts it, and what it is under, where they belong now. */
  #moveUp(): void {
    const parent = this.#parent;
    if (parent === undefined) return;
    parent.#settle(this);
    parent.best = parent.#heap[0]?.best;
    parent.#moveUp();
  }

  #settle(child: Node): void {
    const heap = this.#heap;
    if (child.best === undefined) {
      if (child.#place === -1) return;
      const last = heap.pop()!;
      const hole = child.#place;
      child.#place = -1;
      if (last === child) return;
      heap[hole] = last;
      last.#place = hole;
      this.#sift(last);
      return;
    }
    if (child.#place === -1) child.#place = heap.push(child) - 1;
    this.#sift(child);
  }

  #sift(child: Node): void {
    const heap = this.#heap;
    const put = (node: Node, place: number): void => {
      heap[place] = node;
      node.#place = place;
    };
    let place = child.#place;
    for (let up = (place - 1) >> 1; place > 0 && before(child, heap[up]!); up = (place - 1) >> 1) {
      put(heap[up]!, place);
      place = up;
    }
    for (;;) {
      let down = 2 * place + 1;
      if (down + 1 < heap.length && before(heap[down + 1]!, heap[down]!)) down++;
      if (down >= heap.length || !before(heap[down]!, child)) break;
      put(heap[down]!, place);
      place = down;
    }
    put(child, place);
  }

  /** How two children of one node stand, by the first that ends in each; negative: the first one's ends first. */
  static order(one: Node, other: Node): number {
    const mine = one.best!.#trail;
    const theirs = other.best!.#trail;
    for (let depth = one.#depth - 1; depth < mine.length; depth++) {
      const difference = theirs[depth]!.#score - mine[depth]!.#score;
      if (difference !== 0) return difference;
    }
    return 0;
  }
}

const before = (one: Node, other: Node): boolean =>
  (Node.order(one, other) || one.best!.positions[0]! - other.best!.positions[0]!) < 0;
