import { crc32, deflateRawSync } from 'node:zlib';

/** A zip archive of made-up files. */
export function zipOf(files: readonly { readonly name: string; readonly content: string | Buffer }[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content } of files) {
    const bytes = Buffer.from(content);
    const packed = deflateRawSync(bytes);
    const facts = Buffer.alloc(26);
    facts.writeUInt16LE(20, 0);
    facts.writeUInt16LE(8, 4);
    facts.writeUInt32LE(crc32(bytes), 10);
    facts.writeUInt32LE(packed.length, 14);
    facts.writeUInt32LE(bytes.length, 18);
    facts.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04', 'latin1'), facts, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00', 'latin1'), facts, tail, Buffer.from(name)]));
    parts.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

/** The header of an rpm package as the database keeps it. */
export function rpmHeader(fields: {
  name: string;
  version: string;
  release: string;
  epoch?: number;
  sourceRpm?: string;
}): Buffer {
  const values: [tag: number, type: number, value: Buffer][] = [
    [1000, 6, Buffer.from(`${fields.name}\0`)],
    [1001, 6, Buffer.from(`${fields.version}\0`)],
    [1002, 6, Buffer.from(`${fields.release}\0`)],
    [1022, 6, Buffer.from('x86_64\0')],
  ];
  if (fields.sourceRpm !== undefined) values.push([1044, 6, Buffer.from(`${fields.sourceRpm}\0`)]);
  if (fields.epoch !== undefined) {
    const epoch = Buffer.alloc(4);
    epoch.writeUInt32BE(fields.epoch);
    values.unshift([1003, 4, epoch]);
  }
  let offset = 0;
  const index = values.map(([tag, type, value]) => {
    const entry = Buffer.alloc(16);
    entry.writeUInt32BE(tag, 0);
    entry.writeUInt32BE(type, 4);
    entry.writeUInt32BE(offset, 8);
    entry.writeUInt32BE(1, 12);
    offset += value.length;
    return entry;
  });
  const head = Buffer.alloc(8);
  head.writeUInt32BE(values.length, 0);
  head.writeUInt32BE(offset, 4);
  return Buffer.concat([head, ...index, ...values.map(([, , value]) => value)]);
}
