import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import type { Certificate } from '../contract.ts';

/** A certificate of a name, signed by itself. */
export function certificateFor(id: string, name: string): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-certificate-'));
  try {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        ...kind,
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

/** What a TLS client sees: the certificate, the protocol, and what comes back for a text. */
export async function askTls(
  address: string,
  port: number,
  given: {
    readonly name?: string;
    readonly text?: string;
    readonly alpn?: readonly string[];
    readonly highest?: 'TLSv1.2' | 'TLSv1.1';
  },
): Promise<{
  readonly certificate: PeerCertificate;
  readonly alpn: string | false;
  readonly version: string | null;
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
    });
    socket.on('error', reject);
    socket.on('secureConnect', () => {
      const seen = {
        certificate: socket.getPeerCertificate(),
        alpn: socket.alpnProtocol ?? false,
        version: socket.getProtocol(),
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
