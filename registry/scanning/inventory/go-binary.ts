/** What `go version -m` shows of a program. */
export interface GoBuildInfo {
  readonly goVersion: string;
  readonly modules: string;
}

const magic = Buffer.from('\xff Go buildinf:', 'latin1');
/** The most that is kept of a program: modules of the largest known programs take some 100 KiB. */
const most = 2 * 1024 * 1024;

/**
 * Finds the build information in an ELF program as it streams by (Go 1.18 and later, `debug/buildinfo`: a header of 32 bytes,
 * aligned to 16, then two strings with their lengths). Programs of other makers cost a search for 14 bytes.
 */
export async function findGoBuildInfo(content: AsyncIterable<Buffer>): Promise<GoBuildInfo | undefined> {
  let carried = Buffer.alloc(0);
  let first = true;
  let found: Buffer | undefined;
  for await (const part of content) {
    if (found !== undefined) {
      found = Buffer.concat([found, part]);
    } else {
      if (first && !isElf(part)) return undefined;
      first = false;
      const joined = Buffer.concat([carried, part]);
      const at = joined.indexOf(magic);
      if (at >= 0) found = Buffer.from(joined.subarray(at));
      else carried = Buffer.from(joined.subarray(Math.max(0, joined.length - magic.length + 1)));
    }
    while (found !== undefined) {
      const read = readBuildInfo(found);
      if (read !== 'more' && read !== 'none') return read;
      if (read === 'more' && found.length < most) break;
      // The magic by itself is also in programs that look for it.
      const next: number = found.indexOf(magic, 1);
      carried = Buffer.from(found.subarray(Math.max(0, found.length - magic.length + 1)));
      found = next < 0 ? undefined : Buffer.from(found.subarray(next));
    }
  }
  return undefined;
}

const isElf = (part: Buffer): boolean => part.length >= 4 && part.readUInt32BE(0) === 0x7f45_4c46;

function readBuildInfo(bytes: Buffer): GoBuildInfo | 'more' | 'none' {
  if (bytes.length < 16) return 'more';
  // Flag 2: the strings follow in place.
  if (((bytes[15] ?? 0) & 2) === 0) return 'none';
  const version = stringAt(bytes, 32);
  if (typeof version === 'string') return version;
  if (!/^(?:go|devel)/.test(version.text)) return 'none';
  const modules = stringAt(bytes, version.end);
  if (typeof modules === 'string') return modules;
  // The linker puts 16 bytes around the text to recognize it by.
  const { text } = modules;
  return { goVersion: version.text, modules: text.length >= 33 && text.at(-17) === '\n' ? text.slice(16, -16) : '' };
}

function stringAt(bytes: Buffer, from: number): { text: string; end: number } | 'more' | 'none' {
  let [length, shift, at] = [0, 0, from];
  for (; ; at++, shift += 7) {
    if (shift > 28) return 'none';
    const byte = bytes[at];
    if (byte === undefined) return 'more';
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  const end = at + 1 + length;
  if (length > most) return 'none';
  // One character for each byte, so that the marks around the text can be cut off by count.
  return end > bytes.length ? 'more' : { text: bytes.toString('latin1', at + 1, end), end };
}
