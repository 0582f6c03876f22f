/**
 * From now on, all combined signals end with the world. Node keeps those that somebody listens to, with all that waits for them, until one
 * of their parts aborts; in programs that were killed none ever does, and the next world would begin with this one in memory.
 * @returns ends them, and the combining
 */
export function endingSignals(): () => void {
  const over = new AbortController();
  const whole = Object.getOwnPropertyDescriptor(AbortSignal, 'any')!;
  const any = AbortSignal.any.bind(AbortSignal);
  AbortSignal.any = (signals) => any([...signals, over.signal]);
  return () => {
    Object.defineProperty(AbortSignal, 'any', whole);
    over.abort();
  };
}
