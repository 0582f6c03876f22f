/**
 * How much longer work takes when it is four times as large: about 4 where it is linear, 16 where its cost is the square. Both sizes
 * are measured in turn, each at its best, in processor time of this thread: a busy machine counts for both alike, or not at all.
 * @param work does the work once, for a size
 * @param size the smaller one; work of less than a millisecond is repeated
 */
export async function growth(work: (size: number) => unknown, size: number): Promise<number> {
  const once = async (of: number, times: number): Promise<number> => {
    const began = process.threadCpuUsage();
    for (let done = 0; done < times; done++) await work(of);
    const { user, system } = process.threadCpuUsage(began);
    return (user + system) / 1000;
  };
  await work(size);
  const times = Math.max(1, Math.ceil(4 / Math.max(await once(size, 1), 0.001)));
  const best = [Infinity, Infinity];
  for (let round = 0; round < 5; round++) {
    for (const [index, of] of [size, 4 * size].entries())
      best[index] = Math.min(best[index] as number, await once(of, times));
  }
  return (best[1] as number) / (best[0] as number);
}
