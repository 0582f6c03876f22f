import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { Gauge, type Registry } from '@prometheus-io/client';
import { ListenError } from './errors.ts';
import type { Log } from '../contract/index.ts';

/** A certificate with its chain, and its key; PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

/** Where a listener's certificate comes from, and the later ones. Connections that are open keep what they began with. */
export interface CertificateSource {
  readonly current: KeyPair;
  /** @param listener hears of each further certificate. @returns what ends that */
  onChange(listener: (pair: KeyPair) => void): () => void;
  /** Answers an authority that asks for proof of a name by TLS-ALPN-01 (RFC 8737); undefined when none is asked for. */
  readonly challenge?: ((name: string) => SecureContext | undefined) | undefined;
}

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const checkEveryMs = 10_000;

/**
 * A certificate in two PEM files, which are read again within ten seconds of a change. A pair that cannot be used, as between
 * the two copies of a renewal, is not taken.
 * @throws ListenError when the files cannot be used now
 */
export async function certificateFiles(
  files: CertificateFiles,
  log: Log,
): Promise<CertificateSource & { close(): void }> {
  const listeners = new Set<(pair: KeyPair) => void>();
  let known = await version(files);
  let current = await load(files);
  const check = async (): Promise<void> => {
    try {
      const found = await version(files);
      if (found === known) return;
      current = await load(files);
      known = found;
      for (const listener of listeners) listener(current);
      log.info({ certFile: files.certFile }, 'the certificate was read again');
    } catch (err) {
      log.warn({ certFile: files.certFile, err }, 'the changed certificate cannot be used; the old one stays');
    }
  };
  const timer = setInterval(() => void check(), checkEveryMs).unref();
  return {
    get current() {
      return current;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => clearInterval(timer),
  };
}

/** Changes when one of the files does. Absent files are found when they are read. */
async function version({ certFile, keyFile }: CertificateFiles): Promise<string> {
  const marks = await Promise.all(
    [certFile, keyFile].map(async (file) => {
      const found = await stat(file).catch(() => undefined);
      return `${found?.mtimeMs} ${found?.ino}`;
    }),
  );
  return marks.join(' ');
}

async function load({ certFile, keyFile }: CertificateFiles): Promise<KeyPair> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    // Throws when the two do not belong together, so that a half-written renewal is never served.
    createSecureContext({ cert, key });
    return { cert, key };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : 'unknown';
    throw new ListenError('certificate', `the certificate ${certFile} with key ${keyFile} cannot be used: ${reason}`, {
      cause,
    });
  }
}

/** When the certificate that is served ends, for alarms; worked out when somebody asks. */
export function gaugeCertificate(registry: Registry, source: CertificateSource): void {
  const gauge: Gauge = new Gauge({
    name: 'slipway_tls_certificate_expiry_timestamp_seconds',
    help: 'Unix time at which the certificate that is served ends; the soonest of all processes',
    registers: [registry],
    aggregator: 'min',
    collect: () => gauge.set(new X509Certificate(source.current.cert).validToDate.getTime() / 1000),
  });
}
