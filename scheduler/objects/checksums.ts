import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

export type Algorithm = 'CRC32' | 'CRC32C' | 'CRC64NVME' | 'SHA1' | 'SHA256';

export const algorithms: readonly Algorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'];

/** The header of a checksum: `x-amz-checksum-crc32`. */
export const checksumHeader = (algorithm: Algorithm): string => `x-amz-checksum-${algorithm.toLowerCase()}`;

/** Works a checksum out while bytes come. */
export interface Summing {
  update(bytes: Uint8Array): void;
  digest(): Buffer;
}

/** The checksums that S3 knows (S3 user guide, "Checking object integrity"). */
export function summing(algorithm: Algorithm): Summing {
  switch (algorithm) {
    case 'SHA1':
    case 'SHA256': {
      const hash = createHash(algorithm.toLowerCase());
      return {
        update: (bytes) => {
          hash.update(bytes);
        },
        digest: () => hash.digest(),
      };
    }
    case 'CRC32': {
      let value = 0;
      return {
        update: (bytes) => {
          value = crc32(bytes, value);
        },
        digest: () => bigEndian(value),
      };
    }
    case 'CRC32C':
      return crc32c();
    case 'CRC64NVME':
      return crc64();
  }
}

function bigEndian(...words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(words.length * 4);
  for (const [index, word] of words.entries()) bytes.writeUInt32BE(word >>> 0, index * 4);
  return bytes;
}

/** Castagnoli's, reflected. */
const table32 = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = (value & 1 ? 0x82f63b78 : 0) ^ (value >>> 1);
  return value;
});

function crc32c(): Summing {
  let value = 0xffffffff;
  return {
    update: (bytes) => {
      let crc = value;
      for (let index = 0; index < bytes.byteLength; index++)
        crc = (table32[(crc ^ (bytes[index] as number)) & 0xff] as number) ^ (crc >>> 8);
      value = crc;
    },
    digest: () => bigEndian(value ^ 0xffffffff),
  };
}

/** Of NVMe, reflected: the upper and the lower half of each entry, since numbers of 64 bits are slow. */
const [high64, low64] = (() => {
  const high = new Uint32Array(256);
  const low = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = BigInt(byte);
    for (let bit = 0; bit < 8; bit++) value = (value & 1n ? 0x9a6c9329ac4bc9b5n : 0n) ^ (value >> 1n);
    high[byte] = Number(value >> 32n);
    low[byte] = Number(value & 0xffffffffn);
  }
  return [high, low] as const;
})();

function crc64(): Summing {
  let upper = 0xffffffff;
  let lower = 0xffffffff;
  return {
    update: (bytes) => {
      let high = upper;
      let low = lower;
      for (let index = 0; index < bytes.byteLength; index++) {
        const at = (low ^ (bytes[index] as number)) & 0xff;
        low = ((low >>> 8) | (high << 24)) ^ (low64[at] as number);
        high = (high >>> 8) ^ (high64[at] as number);
      }
      upper = high;
      lower = low;
    },
    digest: () => bigEndian(upper ^ 0xffffffff, lower ^ 0xffffffff),
  };
}
