/** The distribution an image is made of. */
export interface Distribution {
  readonly id: string;
  readonly version: string;
  readonly prettyName: string;
}

/** Reads `os-release(5)`; undefined when it names no distribution. */
export function parseOsRelease(text: string): Distribution | undefined {
  const values = new Map<string, string>();
  for (const line of text.split('\n').slice(0, 200)) {
    const equals = line.indexOf('=');
    if (equals < 1 || line.startsWith('#')) continue;
    const raw = line.slice(equals + 1).trim();
    values.set(line.slice(0, equals).trim(), /^(["']).*\1$/.test(raw) ? raw.slice(1, -1) : raw);
  }
  const id = values.get('ID')?.toLowerCase();
  if (id === undefined || id === '' || id.length > 100) return undefined;
  const version = (values.get('VERSION_ID') ?? '').slice(0, 100);
  return { id, version, prettyName: (values.get('PRETTY_NAME') ?? `${id} ${version}`).slice(0, 200) };
}

/** The OSV ecosystem of a distribution's packages; the distribution's own name where OSV has none. */
export function ecosystemOf(distribution: Distribution | undefined): string {
  if (distribution === undefined) return 'unknown';
  const { id, version } = distribution;
  const [major = '', minor = ''] = version.split('.');
  switch (id) {
    case 'debian':
    case 'raspbian':
      // Testing and unstable have no VERSION_ID.
      return version === '' ? 'Debian' : `Debian:${major}`;
    case 'ubuntu':
      return `Ubuntu:${version}`;
    case 'alpine':
      return `Alpine:v${major}.${minor}`;
    case 'wolfi':
      return 'Wolfi';
    case 'chainguard':
      return 'Chainguard';
    case 'rhel':
    case 'centos':
      return `Red Hat:${major}`;
    case 'rocky':
      return `Rocky Linux:${major}`;
    case 'almalinux':
      return `AlmaLinux:${major}`;
    case 'opensuse-leap':
      return `openSUSE:Leap ${version}`;
    case 'sles':
      return `SUSE:Linux Enterprise Server ${minor === '' ? major : `${major} SP${minor}`}`;
    case 'photon':
      return `Photon:${version}`;
    case 'mageia':
      return `Mageia:${major}`;
    default:
      return `${id}:${version}`;
  }
}
