import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A certificate with its key, as PEM. */
export interface Issued {
  readonly certificate: string;
  readonly key: string;
}

type Algorithm = readonly [name: string, option?: string];

/** What a certificate is to be. */
export interface Wanted {
  /** Common name, '' for none; the alternative names are `names`, or this one. */
  readonly name?: string;
  readonly names?: readonly string[];
  /** As `openssl genpkey` has them: `['RSA', 'rsa_keygen_bits:2048']`. */
  readonly key?: Algorithm;
  /** Days of its life, from now on. */
  readonly days?: number;
  readonly isAuthority?: boolean;
  /** Whose key signs it; its own without. */
  readonly by?: Issued;
  /** Further lines of its extensions. */
  readonly extensions?: readonly string[];
}

const curve: Algorithm = ['EC', 'ec_paramgen_curve:P-256'];

/** Issues a certificate with OpenSSL. */
export function issue({
  name = 'web.example.com',
  names = [name],
  key = curve,
  days = 30,
  isAuthority = false,
  by,
  extensions = [],
}: Wanted = {}): Issued {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-authority-'));
  const at = (file: string): string => join(folder, file);
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { stdio: 'pipe' });
  try {
    const [algorithm, option] = key;
    openssl(
      'genpkey',
      '-algorithm',
      algorithm,
      ...(option === undefined ? [] : ['-pkeyopt', option]),
      '-out',
      at('key'),
    );
    openssl('req', '-new', '-key', at('key'), '-subj', name === '' ? '/' : `/CN=${name}`, '-out', at('request'));
    const lines = [
      `basicConstraints=critical,CA:${isAuthority ? 'TRUE' : 'FALSE'}`,
      ...(names.length === 0 ? [] : [`subjectAltName=${names.map((one) => `DNS:${one}`).join(',')}`]),
      ...extensions,
    ];
    writeFileSync(at('extensions'), `${lines.join('\n')}\n`);
    if (by !== undefined) {
      writeFileSync(at('ca'), by.certificate);
      writeFileSync(at('ca-key'), by.key);
    }
    const signer =
      by === undefined ? ['-signkey', at('key')] : ['-CA', at('ca'), '-CAkey', at('ca-key'), '-CAcreateserial'];
    openssl(
      'x509',
      '-req',
      '-in',
      at('request'),
      ...signer,
      '-days',
      String(days),
      '-extfile',
      at('extensions'),
      '-out',
      at('certificate'),
    );
    return { certificate: readFileSync(at('certificate'), 'utf8'), key: readFileSync(at('key'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
