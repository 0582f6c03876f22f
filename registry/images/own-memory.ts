/**
 * A copy in memory of its own, for bytes that are kept for long: Node cuts small buffers out of slabs of 64 KiB, and a cache of them
 * would hold every slab that one of them lies in.
 */
export function inOwnMemory(content: string | Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(Buffer.byteLength(content));
  if (typeof content === 'string') copy.write(content);
  else copy.set(content);
  return copy;
}
