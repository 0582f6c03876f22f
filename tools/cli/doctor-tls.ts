import { X509Certificate } from 'node:crypto';
import { connect } from 'node:tls';
import type { Trouble } from '@slipway/auth/acme';
import { isLoopback } from '../server/config.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const day = 24 * 3_600_000;

/** What a client finds when it connects by TLS: who signed the certificate, until when it is, and whether this machine believes it. */
export async function certificateFinding(endpoint: string, trouble: Trouble | undefined): Promise<Finding | undefined> {
  const { protocol, hostname, port } = new URL(endpoint);
  if (protocol !== 'https:') return undefined;
  const host = hostname.replaceAll(/^\[|\]$/g, '');
  const found = await peerOf(host, Number(port || 443));
  if (found === undefined) return undefined;
  const { certificate, distrust } = found;
  const { issuer, validToDate, validTo, validFromDate } = certificate;
  const left = validToDate.getTime() - Date.now();
  const third = (validToDate.getTime() - validFromDate.getTime()) / 3;
  const said = `by ${oneLine(issuer)}, until ${validTo} (${Math.floor(left / day)} days)`;
  const failed = trouble && `; the last order failed: ${trouble.message}; ${trouble.advice}`;
  if (left <= 0) return problem('certificate', `${said}: it has ended${failed ?? '; renew it'}`);
  if (distrust !== undefined)
    return problem('certificate', `${said}; this machine does not trust it (${distrust})${failed ?? ''}`);
  if (failed !== undefined || left < Math.min(third / 2, 14 * day))
    return warning('certificate', `${said}${failed ?? '; it is due to be renewed'}`);
  return ok('certificate', said);
}

const oneLine = (name: string): string => name.replaceAll('\n', ', ');

/** Undefined when there is no handshake at all: that the server does not answer is said elsewhere. */
function peerOf(
  host: string,
  port: number,
): Promise<{ readonly certificate: X509Certificate; readonly distrust: string | undefined } | undefined> {
  return new Promise((resolve) => {
    const servername = /^[\d.]+$|:/.test(host) || isLoopback(host) ? {} : { servername: host };
    const socket = connect({ host, port, ...servername, rejectUnauthorized: false, timeout: 5000 }, () => {
      const certificate = socket.getPeerX509Certificate();
      const distrust = socket.authorizationError as Error | string | null | undefined;
      resolve(
        certificate && {
          certificate,
          distrust: distrust instanceof Error ? distrust.message : (distrust ?? undefined),
        },
      );
      socket.destroy();
    });
    socket.on('error', () => resolve(undefined)).on('timeout', () => socket.destroy(new Error('timeout')));
  });
}
