import { lower } from './patterns/wildcard.ts';

/** What of a request decides where it goes. Texts are bytes, one a character, as they came over the wire. */
export interface RequestHead {
  readonly method: string;
  /** The request's path without its query, as it came. */
  readonly path: string;
  /** Without its `?`; empty if there is none. */
  readonly query: string;
  /** The `Host` header as it came, or the load balancer's own name where HTTP/1.0 gave none. */
  readonly host: string;
  /** Values of every line of a header, by its lower-case name. */
  readonly header: (name: string) => readonly string[];
  /** Value of a cookie, the last one of that name. */
  readonly cookie: (name: string) => string | undefined;
  /** Address of the TCP peer. */
  readonly peer: string;
  /** A random integer from 0 to `draws` - 1. */
  readonly draw: number;
  /** Seconds since 1970. */
  readonly now: number;
}

/** How finely weights divide: a share of `forward` is exact to one in so many. */
export const draws = 1_000_000;

/** The host that a `Host` header names: lower case, without port. */
export function hostName(host: string): string {
  const bracket = host.startsWith('[') ? host.indexOf(']') : -1;
  const end = host.indexOf(':', Math.max(bracket, 0));
  return lower(end === -1 ? host : host.slice(0, end));
}

/**
 * The path that `path-pattern` is compared with: what RFC 3986 6.2.2 calls equivalent is made equal (escapes of unreserved characters
 * undone, other escapes in upper case, dot segments removed). The target gets the path as it came.
 */
export function normalizePath(path: string): string {
  const decoded = path.replace(/%([0-9A-Fa-f]{2})/g, (escape, digits: string) => {
    const char = String.fromCharCode(Number.parseInt(digits, 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escape.toUpperCase();
  });
  if (!decoded.includes('/.')) return decoded;
  const kept: string[] = [];
  const segments = decoded.split('/').slice(1);
  for (const [i, segment] of segments.entries()) {
    const isLast = i === segments.length - 1;
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
    if (isLast && (segment === '.' || segment === '..')) kept.push('');
  }
  return `/${kept.join('/')}`;
}
