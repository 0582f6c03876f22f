/**
 * How much longer work takes when it is four times as large: about 4 where it is linear, 16 where its cost is the square. Both sizes
 * are measured in turn, each at its best, and again and again where that looks bad: a busy machine leaves few moments undisturbed.
 * @param work does the work once, for a size
 * @param size the smaller one; work of less than a millisecond is repeated
 */
export async function growth(work: (size: number) => unknown, size: number): Promise<number> {
  const once = async (of: number, times: number): Promise<number> => {
    const began = performance.now();
    for (let done = 0; done < times; done++) await work(of);
    return performance.now() - began;
  };
  await work(size);
  const times = Math.max(1, Math.ceil(1 / Math.max(await once(size, 1), 0.001)));
  const best = [Infinity, Infinity];
  const found = (): number => (best[1] as number) / (best[0] as number);
  for (let round = 0; round < 5 || (round < 40 && found() > 6); round++) {
    for (const [index, of] of [size, 4 * size].entries())
      best[index] = Math.min(best[index] as number, await once(of, times));
  }
  return found();
}
