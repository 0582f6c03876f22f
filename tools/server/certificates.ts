import type { Registry } from '@prometheus-io/client';
import { certificateFiles, type CertificateSource, gaugeCertificate } from '@slipway/auth/gateway';
import type { Identity } from '@slipway/auth/identity';
import type { Clock } from '@slipway/storage/clock';
import type { Storage } from '@slipway/storage/engine';
import type { Log } from '@slipway/auth/contract';
import type { ServerConfig } from './config.ts';

export interface CertificatePorts {
  readonly storage: Pick<Storage, 'records' | 'leases'>;
  readonly identity: Pick<Identity, 'sealer'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Registry;
}

/** The certificate that the configuration asks for, if any. */
export interface Certificates {
  readonly source: CertificateSource | undefined;
  /**
   * In one process of a server: keeps the certificate renewed, where that is ours to do.
   * @param beside answers to tokens of challenges (HTTP-01) of other certificates
   * @throws ListenError
   */
  renew(beside: (token: string) => Promise<string | undefined>): Promise<void>;
  close(): Promise<void>;
}

/** @throws ListenError, AcmeSettingsError when a file cannot be used */
export async function openCertificates(config: ServerConfig, ports: CertificatePorts): Promise<Certificates> {
  const { storage, identity, clock, log, metrics } = ports;
  if (config.tls !== undefined) {
    const { certificate, key } = config.tls;
    const source = await certificateFiles({ certFile: certificate, keyFile: key }, log);
    gaugeCertificate(metrics, source);
    return { source, renew: async () => undefined, close: async () => source.close() };
  }
  if (config.acme !== undefined) {
    // Loaded only where it is used: what reads and signs certificates takes memory.
    const { openAcme } = await import('@slipway/auth/acme');
    const source = await openAcme({
      settings: config.acme,
      records: storage.records,
      leases: storage.leases,
      sealer: identity.sealer,
      clock,
      random: Math.random,
      log,
      metrics,
    });
    gaugeCertificate(metrics, source);
    return { source, renew: (beside) => source.renew(config, beside), close: () => source.close() };
  }
  return { source: undefined, renew: async () => undefined, close: async () => undefined };
}
