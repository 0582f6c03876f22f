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
  const search = new Search();
  let first = true;
  for await (const part of content) {
    if (first && !isElf(part)) return undefined;
    first = false;
    const info = search.next(part);
    if (info) return info;
  }
  return undefined;
}

/** Looks for the information piece by piece. Nothing is copied but what may be it. */
class Search {
  /** The end of the piece before, where the magic may have begun. */
  #tail: Buffer = Buffer.alloc(0);
  /** From the magic on, while more is needed to read it. */
  #found: Buffer | undefined;

  next(part: Buffer): GoBuildInfo | undefined {
    let rest: Buffer | undefined = this.#found ? Buffer.concat([this.#found, part]) : this.#from(part);
    this.#found = undefined;
    while (rest !== undefined) {
      const info = readBuildInfo(rest);
      if (info === 'more' && rest.length < most) {
        this.#found = Buffer.from(rest);
        return undefined;
      }
      if (info !== 'more' && info !== 'none') return info;
      // The magic by itself is also in programs that look for it.
      const at: number = rest.indexOf(magic, 1);
      rest = at < 0 ? undefined : rest.subarray(at);
    }
    const end = part.length < magic.length ? Buffer.concat([this.#tail, part]) : part;
    this.#tail = Buffer.from(end.subarray(Math.max(0, end.length - magic.length + 1)));
    return undefined;
  }

  /** What begins with the magic, be it across the edge of two pieces. */
  #from(part: Buffer): Buffer | undefined {
    const edge = Buffer.concat([this.#tail, part.subarray(0, magic.length - 1)]);
    const across = edge.indexOf(magic);
    if (across >= 0) return Buffer.concat([this.#tail.subarray(across), part]);
    const at = part.indexOf(magic);
    return at < 0 ? undefined : part.subarray(at);
  }
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
