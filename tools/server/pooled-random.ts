import { randomBytes } from 'node:crypto';

/** Bytes asked of the kernel at once, and up to how many of them one call is given. */
const poolBytes = 4096;
const fromPool = 64;

/**
 * Random bytes as `randomBytes` gives them. Few at a time come from a pool: asking the kernel for each id of an upload costs more than
 * all else that is done for the id. What was given out is wiped from the pool, and nothing is given out twice.
 */
export function pooledRandom(): (size: number) => Uint8Array {
  let pool = new Uint8Array(0);
  let at = 0;
  return (size) => {
    if (size > fromPool) return randomBytes(size);
    if (at + size > pool.length) {
      pool = randomBytes(poolBytes);
      at = 0;
    }
    const given = Uint8Array.from(pool.subarray(at, at + size));
    pool.fill(0, at, at + size);
    at += size;
    return given;
  };
}
