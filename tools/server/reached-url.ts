import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/**
 * How programs of this machine reach the server. Over TLS that is where it listens only when its certificate is for that address;
 * one for names alone, as authorities give them, is reached by the first endpoint.
 * @param listening the URL of the address it listens on
 */
export function reachedUrl(listening: string, certificate: string | undefined, endpoints: readonly string[]): string {
  const [named] = endpoints;
  if (certificate === undefined || named === undefined) return listening;
  const host = new URL(listening).hostname.replaceAll(/^\[|\]$/g, '');
  const parsed = new X509Certificate(certificate);
  const covered = isIP(host) === 0 ? parsed.checkHost(host) : parsed.checkIP(host);
  return covered === undefined ? `https://${named}` : listening;
}
