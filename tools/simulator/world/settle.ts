/** How many turns are ordered of the event loop at once. */
const batch = 64;

let ordered = 0;
let waiting: (() => void) | undefined;

function turn(): void {
  ordered -= 1;
  const go = waiting;
  waiting = undefined;
  go?.();
}

/**
 * Lets every promise that can go on do so, and reports those that failed without anybody to hear of it, as Node does between two
 * immediates. One at a time waits for it. The immediates are ordered in batches: for each alone the event loop would ask the
 * operating system whether anything came from outside, which nothing in a simulation does, and which costs more than the moment itself.
 */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    waiting = resolve;
    if (ordered > 0) return;
    for (; ordered < batch; ordered++) setImmediate(turn);
  });
}
