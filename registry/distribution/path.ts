/** What a path under `/v2/` means. The parts are still the caller's text: each is parsed before it is used. */
export type Target =
  | { readonly kind: 'ping' }
  | { readonly kind: 'catalog' }
  | { readonly kind: 'tags'; readonly repository: string }
  | { readonly kind: 'manifest'; readonly repository: string; readonly reference: string }
  | { readonly kind: 'referrers'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'blob'; readonly repository: string; readonly digest: string }
  | { readonly kind: 'uploads'; readonly repository: string }
  | { readonly kind: 'upload'; readonly repository: string; readonly id: string };

/**
 * Parses a raw path once, from its end, because repository names contain slashes. There is one reading of every path, and
 * authorization and handler work on the same one. A segment that hides a separator behind a percent sign is no path at all.
 */
export function parsePath(path: string): Target | undefined {
  if (path === '/v2' || path === '/v2/') return { kind: 'ping' };
  if (!path.startsWith('/v2/')) return undefined;
  const rest = path.slice('/v2/'.length);
  const segments = rest.includes('%') ? decode(rest.split('/')) : rest.split('/');
  if (segments === undefined) return undefined;
  const count = segments.length;
  const at = (fromEnd: number): string => segments[count - fromEnd] ?? '';
  const name = (parts: number): string => segments.slice(0, count - parts).join('/');
  if (count === 1) return at(1) === '_catalog' ? { kind: 'catalog' } : undefined;
  if (count < 3) return undefined;
  switch (at(2)) {
    case 'manifests':
      return { kind: 'manifest', repository: name(2), reference: at(1) };
    case 'referrers':
      return { kind: 'referrers', repository: name(2), digest: at(1) };
    case 'tags':
      return at(1) === 'list' ? { kind: 'tags', repository: name(2) } : undefined;
    case 'blobs':
      return at(1) === 'uploads'
        ? { kind: 'uploads', repository: name(2) }
        : { kind: 'blob', repository: name(2), digest: at(1) };
    case 'uploads':
      if (at(3) !== 'blobs' || count < 4) return undefined;
      return at(1) === ''
        ? { kind: 'uploads', repository: name(3) }
        : { kind: 'upload', repository: name(3), id: at(1) };
    default:
      return undefined;
  }
}

function decode(segments: readonly string[]): string[] | undefined {
  const decoded: string[] = [];
  for (const segment of segments) {
    try {
      const text = decodeURIComponent(segment);
      if (/[/\\%\0]/.test(text) || text === '.' || text === '..') return undefined;
      decoded.push(text);
    } catch {
      return undefined;
    }
  }
  return decoded;
}
