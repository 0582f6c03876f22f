/** A package as the database of a distribution has it; the distribution itself is known only when all layers are read. */
export interface SystemPackage {
  readonly type: 'deb' | 'apk' | 'rpm';
  readonly name: string;
  readonly version: string;
  readonly source?: { readonly name: string; readonly version: string };
  readonly architecture?: string;
}

/** dpkg's `status`, or a file of `status.d` as distroless images have them: what is installed, with its source package. */
export function parseDpkgStatus(text: string): SystemPackage[] {
  return stanzas(text).flatMap((fields) => {
    const [name, version] = [fields.get('Package'), fields.get('Version')];
    const status = fields.get('Status');
    if (!name || !version || (status !== undefined && !status.endsWith(' installed'))) return [];
    // "Source: openssl" or "Source: gcc-12 (12.2.0-14)" where the versions differ.
    const [, sourceName = name, sourceVersion = version] =
      /^([^\s(]+)(?:\s*\(([^)]{1,200})\))?/.exec(fields.get('Source') ?? '') ?? [];
    const architecture = fields.get('Architecture');
    return [
      {
        type: 'deb' as const,
        name,
        version,
        source: { name: sourceName, version: sourceVersion },
        ...(architecture ? { architecture } : {}),
      },
    ];
  });
}

/** apk's `installed` (apk-tools, "APKINDEX format"): `P` name, `V` version, `o` origin, `A` architecture. */
export function parseApkInstalled(text: string): SystemPackage[] {
  return stanzas(text).flatMap((fields) => {
    const [name, version] = [fields.get('P'), fields.get('V')];
    if (!name || !version) return [];
    const [origin, architecture] = [fields.get('o'), fields.get('A')];
    return [
      {
        type: 'apk' as const,
        name,
        version,
        source: { name: origin || name, version },
        ...(architecture ? { architecture } : {}),
      },
    ];
  });
}

/** `Field: value` stanzas separated by blank lines. Lines that go on from the one before hold nothing that is needed. */
function stanzas(text: string): Map<string, string>[] {
  const found: Map<string, string>[] = [];
  let fields = new Map<string, string>();
  let at = 0;
  while (at <= text.length) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    if (end === at || (end === at + 1 && text[at] === '\r')) {
      if (fields.size > 0) found.push(fields);
      fields = new Map();
    } else if (text[at] !== ' ' && text[at] !== '\t') {
      const colon = text.indexOf(':', at);
      // Values of use are short; the long ones are descriptions and lists of files.
      if (colon > at && colon < end && colon - at < 40 && end - colon < 1000) {
        fields.set(text.slice(at, colon), text.slice(colon + 1, end).trim());
      }
    }
    at = end + 1;
  }
  if (fields.size > 0) found.push(fields);
  return found;
}
