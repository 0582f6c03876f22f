import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type ConnectionOptions, type PeerCertificate } from 'node:tls';
import type { Tls } from '../../../routing/index.ts';
import type { Certificate } from '../contract.ts';

/** A certificate of a name, signed by itself. @param kind of its key */
export function certificateFor(id: string, name: string, kind: 'ec' | 'rsa' = 'ec'): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-certificate-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const newKey = kind === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        ...newKey,
        '-nodes',
        '-days',
        '30',
        '-subj',
        `/CN=${name}`,
        '-addext',
        `subjectAltName=DNS:${name}`,
        '-keyout',
        key,
        '-out',
        cert,
      ],
      {
        stdio: 'pipe',
      },
    );
    return { id, chain: readFileSync(cert, 'utf8'), privateKey: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** As the strictest policy that both versions have. */
export const anyTls = {
  versions: ['TLSv1.2', 'TLSv1.3'],
  ciphers: ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256'],
} as const satisfies Omit<Tls, 'certificates'>;

/** What a TLS client sees: the certificate, the protocol, and what comes back for a text. */
export async function askTls(
  address: string,
  port: number,
  given: {
    readonly name?: string;
    readonly text?: string;
    readonly alpn?: readonly string[];
    readonly highest?: 'TLSv1.2' | 'TLSv1.1';
    /** What else the client insists on: versions, ciphers, signatures. */
    readonly insist?: Pick<ConnectionOptions, 'minVersion' | 'maxVersion' | 'ciphers' | 'sigalgs'>;
  },
): Promise<{
  readonly certificate: PeerCertificate;
  readonly alpn: string | false;
  readonly version: string | null;
  /** In OpenSSL's name. */
  readonly cipher: string;
  readonly answer: string;
}> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect({
      host: address,
      port,
      rejectUnauthorized: false,
      ...(given.name === undefined ? {} : { servername: given.name }),
      ...(given.alpn === undefined ? {} : { ALPNProtocols: [...given.alpn] }),
      ...(given.highest === undefined
        ? {}
        : { maxVersion: given.highest, minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' }),
      ...given.insist,
    });
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      const seen = {
        certificate: socket.getPeerCertificate(),
        alpn: socket.alpnProtocol ?? false,
        version: socket.getProtocol(),
        cipher: socket.getCipher().name,
      };
      socket.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        if (given.text !== undefined && Buffer.concat(chunks).toString().includes(given.text)) socket.end();
      });
      socket.on('close', () => resolve({ ...seen, answer: Buffer.concat(chunks).toString('latin1') }));
      if (given.text === undefined) socket.end();
      else socket.write(given.text);
    });
  });
}
