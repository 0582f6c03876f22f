import type { Log } from '@slipway/auth/contract';
import type { Sealer } from '@slipway/auth/tokens';

import { listenerCertificateId } from './arns.ts';
import type { Balancers } from './store.ts';

/** What the key of a certificate is sealed for: it opens as no other one's. */
export const keyPairPurpose = (account: string, id: string): string => `certificate/${account}/${id}`;

/** A certificate with its key, as PEM. */
export interface KeyPair {
  /** What listeners call it. */
  readonly id: string;
  /** The certificate, then its chain. */
  readonly chain: string;
  readonly privateKey: string;
}

/**
 * Opens the key pairs of certificates for those who serve them. What was opened stays in memory while its certificate is there.
 * @returns undefined for a certificate that is gone, or whose key this server cannot open, which it logs
 */
export function createKeyPairs({
  balancers,
  sealer,
  region,
  log,
}: {
  readonly balancers: Balancers;
  readonly sealer: Sealer;
  readonly region: string;
  readonly log: Log;
}): (account: string, arn: string) => Promise<KeyPair | undefined> {
  const known = new Map<string, { readonly account: string; readonly version: number; readonly pair: KeyPair }>();
  return async (account, arn) => {
    const balancing = await balancers.read(account);
    const versionOf = (name: string): number | undefined => {
      const id = listenerCertificateId({ region, account }, name);
      return id === undefined ? undefined : balancing.versionOf('certificate', id);
    };
    const opened = known.get(arn);
    const version = versionOf(arn);
    if (version !== undefined && opened?.version === version) return opened.pair;
    for (const [name, { account: of }] of known)
      if (of === account && versionOf(name) === undefined) known.delete(name);
    const id = listenerCertificateId({ region, account }, arn);
    const stored = id === undefined || version === undefined ? undefined : await balancers.keyPair(account, id);
    if (id === undefined || version === undefined || stored === undefined) return undefined;
    try {
      const pair: KeyPair = {
        id: arn,
        chain: `${stored.certificate}${stored.chain ?? ''}`,
        privateKey: sealer.open(stored.sealedKey, keyPairPurpose(account, id)),
      };
      known.set(arn, { account, version, pair });
      return pair;
    } catch (err) {
      log.error({ account, arn, err }, 'the key of a certificate cannot be opened; its listeners are not served');
      return undefined;
    }
  };
}
