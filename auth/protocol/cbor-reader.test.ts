import { CborCodec } from '@smithy/core/cbor';
import { assert, constantFrom, jsonValue, property, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readCbor } from './cbor-reader.ts';
import { InputError } from './problems.ts';

const read = (hex: string): unknown => readCbor(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

describe('CBOR', () => {
  // RFC 8949, appendix A.
  test.each([
    ['00', 0],
    ['1818', 24],
    ['1903e8', 1000],
    ['1a000f4240', 1_000_000],
    ['1b000000e8d4a51000', 1_000_000_000_000],
    ['20', -1],
    ['3903e7', -1000],
    ['f90000', 0],
    ['f93c00', 1],
    ['f97bff', 65_504],
    ['f90001', 5.960464477539063e-8],
    ['f9c400', -4],
    ['fa47c35000', 100_000],
    ['fb3ff199999999999a', 1.1],
    ['f4', false],
    ['f5', true],
    ['f6', undefined],
    ['f7', undefined],
    ['60', ''],
    ['62c3bc', 'ü'],
    ['80', []],
    ['83010203', [1, 2, 3]],
    ['9f018202039f0405ffff', [1, [2, 3], [4, 5]]],
    ['7f657374726561646d696e67ff', 'streaming'],
    ['c11a514b67b0', new Date('2013-03-21T20:04:00Z')],
  ])('reads %s', (hex, value) => {
    expect(read(hex)).toEqual(value);
  });

  test('reads maps and bytes, of known and of unknown length', () => {
    expect({ ...(read('a26161016162820203') as object) }).toEqual({ a: 1, b: [2, 3] });
    expect({ ...(read('bf6346756ef563416d7421ff') as object) }).toEqual({ Fun: true, Amt: -2 });
    expect(Buffer.from(read('5f42010243030405ff') as Uint8Array)).toEqual(Buffer.from([1, 2, 3, 4, 5]));
    expect(Object.keys(read('a1695f5f70726f746f5f5f01') as object)).toEqual(['__proto__']);
  });

  test.each([
    ['nothing', ''],
    ['a head that is cut', '19 03'],
    ['a text that is cut', '63 61 62'],
    ['bytes that say they are 2^63 long', '5b 80 00 00 00 00 00 00 00'],
    ['a list of 2^32 values', '9a ff ff ff ff 00'],
    ['a map of 2^64 - 1 values', 'bb ff ff ff ff ff ff ff ff'],
    ['a list without its end', '9f 01'],
    ['a map without its end', 'bf 61 61 01'],
    ['a key without a value', 'bf 61 61 ff'],
    ['a key twice', 'a2 61 61 01 61 61 02'],
    ['a key that is a number', 'a1 01 02'],
    ['a break outside', 'ff'],
    ['a break in a list of known length', '82 01 ff'],
    ['a break in a map of known length', 'a1 ff'],
    ['a number of unknown length', '1f'],
    ['a tag of unknown length', 'df 00'],
    ['reserved lengths', '1c'],
    ['a text in pieces of bytes', '7f 41 61 ff'],
    ['pieces in pieces', '7f 7f 61 61 ff ff'],
    ['a character cut in two by pieces', '7f 61 c3 61 bc ff'],
    ['a text that is not UTF-8', '61 ff'],
    ['a number beyond 2^53', '1b 00 40 00 00 00 00 00 00'],
    ['a bignum', 'c2 41 01'],
    ['a time that is a text', 'c1 61 61'],
    ['a time that is none', 'c1 fb 7f f8 00 00 00 00 00 00'],
    ['simple values of others', 'f8 20'],
    ['what trails', '00 00'],
  ])('refuses %s', (_what, hex) => {
    expect(() => read(hex)).toThrow(InputError);
  });

  test('refuses what nests too deep, and too many values, before they are all read', () => {
    for (const opening of ['81', '9f', 'a16161', 'c1']) expect(() => read(opening.repeat(100_000))).toThrow(InputError);
    expect(() => readCbor(Buffer.concat([Buffer.from([0x9f]), Buffer.alloc(1 << 20)]))).toThrow('too many values');
    expect(() => readCbor(Buffer.concat([Buffer.from([0x5f]), Buffer.alloc(1 << 20, 0x40)]))).toThrow(
      'too many values',
    );
  });

  test('any bytes are read or refused', () => {
    assert(
      property(uint8Array({ maxLength: 64 }), constantFrom(0x9f, 0xbf, 0x7f, 0x82, 0xa1, 0x00), (rest, first) => {
        let refusal: unknown;
        try {
          readCbor(Buffer.concat([Buffer.from([first]), rest]));
        } catch (error) {
          refusal = error;
        }
        expect(refusal === undefined || refusal instanceof InputError).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test('reads what the SDK writes', () => {
    assert(
      property(jsonValue({ noUnicodeString: false, maxDepth: 5 }), (value) => {
        const serializer = new CborCodec().createSerializer();
        serializer.write(15, { value } as never);
        const found = readCbor(Buffer.from(serializer.flush())) as { value: unknown };
        const plain = (node: unknown): unknown =>
          JSON.parse(JSON.stringify(node ?? null, (_key, each: unknown) => each ?? undefined) ?? 'null') as unknown;
        expect(plain(found.value)).toEqual(plain(value));
      }),
    );
  });
});
