import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hostname, networkInterfaces, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { CliError } from './errors.ts';
import { parseOutput, print, printJson } from './output.ts';

export interface TlsInitOptions {
  readonly data: string;
  readonly host?: readonly string[];
  readonly days: string;
  readonly port: string;
  readonly output: string;
}

/** A local certificate authority signs for ten years; certificates of servers live as long as browsers accept. */
const authorityDays = 3650;

/** Where `tls init` puts what it makes. */
export function tlsFiles(data: string): Record<'authority' | 'authorityKey' | 'certificate' | 'key', string> {
  const folder = join(resolve(data), 'tls');
  return {
    authority: join(folder, 'ca.crt'),
    authorityKey: join(folder, 'ca.key'),
    certificate: join(folder, 'server.crt'),
    key: join(folder, 'server.key'),
  };
}

/**
 * `slipway tls init`: a certificate authority of this installation (made once) and a server certificate signed by it (made anew
 * each time; a running server reads it within ten seconds), and how docker and the AWS CLI come to trust it.
 * @throws CliError without the `openssl` program, or for a host name that is none
 */
export function initTls(options: TlsInitOptions): void {
  const output = parseOutput(options.output);
  const days = Number(options.days);
  if (!Number.isInteger(days) || days < 1 || days > 825) throw new CliError('--days takes a number from 1 to 825', 2);
  const hosts = [...new Set([...(options.host ?? []), ...ownNames()])];
  const bad = hosts.find(
    (host) => isIP(host) === 0 && !/^(?!-)[A-Za-z0-9*-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*$/.test(host),
  );
  if (bad !== undefined) throw new CliError(`--host takes host names and addresses without a port, not '${bad}'`, 2);
  const files = tlsFiles(options.data);
  mkdirSync(join(resolve(options.data), 'tls'), { recursive: true, mode: 0o700 });
  const made = !existsSync(files.authority);
  if (made) makeAuthority(files);
  makeCertificate(files, hosts, days);
  const authority = new X509Certificate(readFileSync(files.authority));
  const shown = options.host?.[0] ?? hosts.find((host) => host !== 'localhost' && isIP(host) === 0) ?? 'localhost';
  if (output === 'json') printJson({ ...files, hosts, authorityFingerprint: authority.fingerprint256, made });
  else explain(files, hosts, addressOf(shown, options.port), authority.fingerprint256, made);
}

/**
 * Lets everything this process calls be signed as well by the installation's own authority, when there is one, and by the
 * private one that certificates come from by ACME.
 */
export function trustLocalAuthority(data: string): void {
  const files = [tlsFiles(data).authority, process.env['SLIPWAY_ACME_CA_FILE'] ?? ''];
  const texts = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8'));
  const found = texts.filter((text) => text.includes('BEGIN CERTIFICATE'));
  if (found.length > 0) setDefaultCACertificates([...getCACertificates('default'), ...found]);
}

/** The names and addresses under which this machine is reached. */
function ownNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [
    'localhost',
    hostname(),
    ...addresses.filter(({ scopeid }) => scopeid === undefined || scopeid === 0).map(({ address }) => address),
  ];
}

/** What image names begin with, and docker reads a folder of `certs.d` for: the port that https has anyway is in neither. */
function addressOf(host: string, port: string): string {
  const name = isIP(host) === 6 ? `[${host}]` : host;
  return port === '443' ? name : `${name}:${port}`;
}

type Files = ReturnType<typeof tlsFiles>;

function makeAuthority(files: Files): void {
  writeKey(files.authorityKey);
  const extensions = ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign'];
  const config = [
    '[req]',
    'distinguished_name=name',
    'x509_extensions=ext',
    'prompt=no',
    '[name]',
    'O=Slipway',
    // Two authorities with one name would be taken for one another.
    `CN=Slipway local authority ${randomBytes(4).toString('hex')}`,
    '[ext]',
    ...extensions,
    'subjectKeyIdentifier=hash',
  ];
  withFolder((folder) => {
    const path = join(folder, 'authority.cnf');
    writeFileSync(path, config.join('\n'));
    const made = join(folder, 'ca.crt');
    openssl([
      'req',
      '-x509',
      '-new',
      '-sha256',
      '-key',
      files.authorityKey,
      '-config',
      path,
      '-days',
      String(authorityDays),
      '-out',
      made,
    ]);
    replace(files.authority, readFileSync(made), 0o644);
  });
}

function makeCertificate(files: Files, hosts: readonly string[], days: number): void {
  withFolder((folder) => {
    const [key, config, request, made] = ['server.key', 'server.cnf', 'server.csr', 'server.crt'].map((name) =>
      join(folder, name),
    ) as [string, string, string, string];
    writeKey(key);
    const names = hosts.map((host) => `${isIP(host) === 0 ? 'DNS' : 'IP'}:${host}`);
    writeFileSync(
      config,
      [
        '[req]',
        'distinguished_name=name',
        'prompt=no',
        '[name]',
        'O=Slipway',
        'CN=Slipway server',
        '[ext]',
        'basicConstraints=critical,CA:FALSE',
        'keyUsage=critical,digitalSignature',
        'extendedKeyUsage=serverAuth',
        'subjectKeyIdentifier=hash',
        'authorityKeyIdentifier=keyid',
        `subjectAltName=${names.join(',')}`,
      ].join('\n'),
    );
    openssl(['req', '-new', '-sha256', '-key', key, '-config', config, '-out', request]);
    const serial = `0x00${randomBytes(15).toString('hex')}`;
    const signed = ['-CA', files.authority, '-CAkey', files.authorityKey, '-set_serial', serial];
    openssl([
      'x509',
      '-req',
      '-sha256',
      '-in',
      request,
      ...signed,
      '-days',
      String(days),
      '-extfile',
      config,
      '-extensions',
      'ext',
      '-out',
      made,
    ]);
    replace(files.key, readFileSync(key), 0o600);
    replace(files.certificate, readFileSync(made), 0o644);
  });
}

function writeKey(path: string): void {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  replace(path, Buffer.from(privateKey.export({ type: 'pkcs8', format: 'pem' })), 0o600);
}

/** A reader sees the old file or the new one. */
function replace(path: string, content: Buffer, mode: number): void {
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, content, { mode, flush: true });
  renameSync(temporary, path);
}

function withFolder(work: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-tls-'));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The `openssl` program makes the certificates: Node can make keys, and read certificates, but not sign them. */
function openssl(args: readonly string[]): void {
  try {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (cause) {
    const { code, stderr } = cause as NodeJS.ErrnoException & { stderr?: Buffer };
    if (code === 'ENOENT') throw new CliError('the program "openssl" is needed; install the package openssl');
    throw new CliError(`openssl ${args[0] ?? ''} failed: ${stderr?.toString().trim() ?? ''}`);
  }
}

function explain(files: Files, hosts: readonly string[], address: string, fingerprint: string, made: boolean): void {
  print(`${made ? 'Made a certificate authority' : 'Kept the certificate authority'} ${files.authority}`);
  print(`  SHA-256 ${fingerprint}`);
  print(`Made the server certificate ${files.certificate}`);
  print(`  for ${hosts.join(', ')}`);
  print('\nServe with it:');
  print(`  export SLIPWAY_TLS_CERTIFICATE=${files.certificate} SLIPWAY_TLS_KEY=${files.key}`);
  print(
    '\nOn each machine whose docker pushes or pulls (no restart is needed), with the address that image names begin with:',
  );
  print(`  sudo mkdir -p /etc/docker/certs.d/${address}`);
  print(`  sudo cp ${files.authority} /etc/docker/certs.d/${address}/ca.crt`);
  print('\nAWS CLI, boto3 and Terraform:');
  print(`  export AWS_CA_BUNDLE=${files.authority}`);
  print('\nNode programs, and "slipway agent" on other hosts:');
  print(`  export NODE_EXTRA_CA_CERTS=${files.authority}`);
  print(
    `\nCopy ${files.authority} to other machines. ${files.authorityKey} stays here: who has it can pose as this server.`,
  );
}
