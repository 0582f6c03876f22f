/** A folder to be made. */
export interface Folder {
  /** Relative, at most 255 bytes. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** A tar archive of folders alone, parents first: headers of POSIX ustar, ids too large for its octal digits in GNU's base 256. */
export const folderArchive = (folders: readonly Folder[]): Buffer =>
  Buffer.concat([...folders.map(headerOf), Buffer.alloc(1024)]);

function headerOf({ path, uid, gid, mode }: Folder): Buffer {
  const header = Buffer.alloc(512);
  const { name, prefix } = split(`${path}/`);
  name.copy(header, 0);
  writeNumber(header, mode, 100);
  writeNumber(header, uid, 108);
  writeNumber(header, gid, 116);
  header.write(octal(0, 12), 124, 'latin1');
  header.write(octal(0, 12), 136, 'latin1');
  header.write('        5', 148, 'latin1');
  header.write('ustar\0' + '00', 257, 'latin1');
  prefix.copy(header, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 7)} `, 148, 'latin1');
  return header;
}

const octal = (value: number, width: number): string => `${value.toString(8).padStart(width - 1, '0')}\0`;

function writeNumber(header: Buffer, value: number, at: number): void {
  if (value <= 0o7777777) {
    header.write(octal(value, 8), at, 'latin1');
    return;
  }
  header.writeUInt8(0x80, at);
  header.writeUInt32BE(value, at + 4);
}

/** A name of 100 bytes and what stands before it, of 155. */
function split(path: string): { readonly name: Buffer; readonly prefix: Buffer } {
  const bytes = Buffer.from(path);
  if (bytes.length <= 100) return { name: bytes, prefix: Buffer.alloc(0) };
  const at = bytes.indexOf('/', bytes.length - 101);
  if (at <= 0 || at > 155 || at === bytes.length - 1) throw new Error(`the path ${path} is too long`);
  return { name: bytes.subarray(at + 1), prefix: bytes.subarray(0, at) };
}
