import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { Pebble, pebbleMissing } from '@slipway/auth/acme/testing';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCredentials, readServerState } from '../server/state-files.ts';
import { AwsCli, missingAwsCli } from '../testbed/aws-cli.ts';
import { run, until } from '../testbed/command.ts';
import { missingTerraform, Terraform } from '../testbed/terraform.ts';

if (pebbleMissing !== undefined && process.env['CI'] !== undefined) throw new Error(pebbleMissing);

const noCli = await missingAwsCli();
if (noCli !== undefined && process.env['CI'] !== undefined) throw new Error(noCli);

if (missingTerraform !== undefined && process.env['CI'] !== undefined) throw new Error(missingTerraform);

const main = join(import.meta.dirname, '..', 'cli', 'main.ts');

describe.skipIf(pebbleMissing !== undefined)(
  `a server with workers and certificates by ACME${pebbleMissing === undefined ? '' : ` (${pebbleMissing})`}`,
  () => {
    const data = mkdtempSync(join(tmpdir(), 'slipway-acme-server-'));
    const folder = mkdtempSync(join(tmpdir(), 'slipway-acme-terraform-'));
    let pebble: Pebble;
    let port: number;
    let env: Record<string, string>;
    let child: ChildProcess;
    let log = '';

    beforeAll(async () => {
      pebble = await Pebble.start();
      port = await freePort();
      const authorities = join(data, 'authorities.pem');
      writeFileSync(authorities, readFileSync(pebble.caFile, 'utf8') + (await pebble.root()));
      env = {
        SLIPWAY_DATA: data,
        SLIPWAY_PORT: String(port),
        SLIPWAY_WORKERS: '2',
        SLIPWAY_AGENT: 'off',
        SLIPWAY_ACME_DOMAINS: '127.0.0.1,registry.example.com',
        SLIPWAY_ACME_AGREE_TO_TERMS: 'true',
        SLIPWAY_ACME_DIRECTORY: pebble.directory,
        SLIPWAY_ACME_CA_FILE: authorities,
        SLIPWAY_ACME_HTTP_PORT: String(pebble.httpPort),
      };
      child = spawn(process.execPath, [main, 'serve'], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (log += chunk));
      await until('the server to serve', 180_000, async () => {
        if (child.exitCode !== null) throw new Error(log);
        return readServerState(data)?.pid === child.pid;
      });
    });

    afterAll(async () => {
      if (child.exitCode === null) {
        const ended = new Promise((done) => child.once('exit', done));
        child.kill('SIGTERM');
        await ended;
      }
      await pebble.dispose();
      for (const path of [data, folder]) rmSync(path, { recursive: true, force: true });
    });

    const slipway = (...args: string[]) => run(process.execPath, [main, ...args], { env });

    /** The `AWS_…` variables of the administrator. */
    const administrator = () => {
      const known = readCredentials(join(data, 'credentials'));
      return {
        AWS_ENDPOINT_URL: `https://127.0.0.1:${port}`,
        AWS_CA_BUNDLE: env['SLIPWAY_ACME_CA_FILE'] ?? '',
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_ACCESS_KEY_ID: known?.accessKeyId ?? '',
        AWS_SECRET_ACCESS_KEY: known?.secretAccessKey ?? '',
      };
    };

    const handshake = (): Promise<X509Certificate> =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
          resolve(socket.getPeerX509Certificate() as X509Certificate);
          socket.destroy();
        });
        socket.on('error', reject);
      });

    /** The kernel spreads connections over the processes: of thirty, each gets some. */
    const served = async (): Promise<X509Certificate[]> => Promise.all(Array.from({ length: 30 }, handshake));

    const plain = (
      path: string,
      method = 'GET',
    ): Promise<{ status: number | undefined; location: string | undefined }> =>
      new Promise((resolve, reject) => {
        const host = `registry.example.com:${pebble.httpPort}`;
        const to = { host: '127.0.0.1', port: pebble.httpPort, path, method, headers: { host }, agent: false };
        request(to, (response) => {
          response.resume();
          resolve({ status: response.statusCode, location: response.headers.location });
        })
          .on('error', reject)
          .end();
      });

    const metrics = (): Promise<string> =>
      new Promise((resolve, reject) => {
        const ca = readFileSync(env['SLIPWAY_ACME_CA_FILE'] ?? '');
        get({ host: '127.0.0.1', port, path: '/metrics', ca, agent: false }, (response) => {
          text(response).then(resolve, reject);
        }).on('error', reject);
      });

    test('every process serves the certificate, and each further one, without a restart', async () => {
      const issued = () =>
        until('every process to have the certificate', 180_000, async () => {
          const all = await served();
          const same = new Set(all.map(({ serialNumber }) => serialNumber)).size === 1;
          return same && all[0]?.issuer.includes('Pebble') && all[0];
        });
      const first = await issued();
      expect([first.checkIP('127.0.0.1'), first.checkHost('registry.example.com')]).toEqual([
        '127.0.0.1',
        'registry.example.com',
      ]);
      const asked = await slipway('tls', 'renew');
      expect(asked.stdout).toContain('registry.example.com is ordered now from');
      await until('another certificate', 180_000, async () => (await issued()).serialNumber !== first.serialNumber);
      expect(readServerState(data)?.endpoint).toBe(`https://127.0.0.1:${port}`);
    });

    test('plain HTTP answers challenges and sends the rest to https', async () => {
      expect(await plain('/.well-known/acme-challenge/unknown')).toEqual({ status: 404, location: undefined });
      expect(await plain('/console/?a=b')).toEqual({
        status: 308,
        location: `https://registry.example.com:${port}/console/?a=b`,
      });
      expect((await plain('http://elsewhere.example/x')).location).toBe(`https://registry.example.com:${port}/`);
      expect((await plain('/v2/', 'POST')).status).toBe(403);
    });

    test.skipIf(noCli !== undefined)(
      'the AWS CLI requests a certificate, waits for it, and gets it, without its key',
      async () => {
        const aws = new AwsCli(administrator());
        const acm = <T>(...args: string[]) => aws.json<T>(['acm', ...args]);
        const { CertificateArn: arn } = await acm<{ CertificateArn: string }>(
          'request-certificate',
          '--domain-name',
          'www.example.com',
          '--validation-method',
          'HTTP',
        );
        // Its waiter looks once a minute; an order that the authority refuses is repeated after one.
        await until('the certificate', 240_000, async () => {
          const { Certificate } = await acm<{ Certificate: { Status: string } }>(
            'describe-certificate',
            '--certificate-arn',
            arn,
          );
          return Certificate.Status === 'ISSUED';
        });
        await acm('wait', 'certificate-validated', '--certificate-arn', arn);
        const got = await acm<{ Certificate: string }>('get-certificate', '--certificate-arn', arn);
        const leaf = new X509Certificate(got.Certificate);
        expect([leaf.checkHost('www.example.com'), leaf.publicKey.asymmetricKeyType]).toEqual([
          'www.example.com',
          'rsa',
        ]);
        expect(JSON.stringify(got)).not.toContain('PRIVATE');
        await acm('delete-certificate', '--certificate-arn', arn);
        const own = await aws.run([
          'acm',
          'request-certificate',
          '--domain-name',
          'registry.example.com',
          '--validation-method',
          'HTTP',
        ]);
        expect(own.stderr).toContain('is a name of the installation itself');
      },
      600_000,
    );

    // Minutes on a machine that does other things: the provider starts four times, and looks at its own pace.
    test.skipIf(missingTerraform !== undefined || process.env['SLIPWAY_TEST_SIZE'] === undefined)(
      'Terraform requests a certificate, waits for it, finds nothing to change, and destroys it',
      async () => {
        const endpoint = `https://127.0.0.1:${port}`;
        const terraform = new Terraform(folder, administrator(), endpoint, ['acm', 'iam', 'sts']);
        terraform.write(`
resource "aws_acm_certificate" "web" {
  domain_name               = "web.example.com"
  subject_alternative_names = ["www.web.example.com"]
  validation_method         = "HTTP"
  key_algorithm             = "EC_prime256v1"
  lifecycle {
    create_before_destroy = true
  }
}
resource "aws_acm_certificate_validation" "web" {
  certificate_arn = aws_acm_certificate.web.arn
}
output "status" {
  value = aws_acm_certificate.web.status
}
`);
        await terraform.init();
        const applied = await terraform.apply();
        expect(applied).toContain('Apply complete! Resources: 2 added');
        const planned = await terraform.plan();
        expect(planned.code, planned.stdout + planned.stderr).toBe(0);
        const { CertificateSummaryList } = await new AwsCli(administrator()).json<{
          CertificateSummaryList: readonly { DomainName: string; Status: string }[];
        }>(['acm', 'list-certificates', '--includes', 'keyTypes=EC_prime256v1']);
        expect(CertificateSummaryList).toMatchObject([{ DomainName: 'web.example.com', Status: 'ISSUED' }]);
        expect(await terraform.destroy()).toContain('Destroy complete! Resources: 2 destroyed');
      },
      900_000,
    );

    test('metrics say how orders went and when the certificate ends', async () => {
      const { validToDate } = await handshake();
      // An order is counted a moment after its certificate is served.
      const shown = await until('the second order to count', 180_000, async () => {
        const text = await metrics();
        return text.includes('slipway_acme_orders_total{result="issued"} 2') && text;
      });
      expect(shown).toContain(`slipway_tls_certificate_expiry_timestamp_seconds ${validToDate.getTime() / 1000}`);
      expect(shown).toContain('slipway_acme_orders_total{result="failed"} 0');
    });

    test('doctor shows issuer and end, and what the last order failed at', async () => {
      const certificate = async () => {
        const found = JSON.parse((await slipway('doctor', '--output', 'json')).stdout) as Record<string, string>[];
        return found.find(({ what }) => what === 'certificate');
      };
      expect(await certificate()).toEqual({
        what: 'certificate',
        state: 'ok',
        detail: expect.stringMatching(/^by .*Pebble.*, until .* GMT \(89 days\)$/),
      });
      pebble.names.absent.add('registry.example.com');
      await slipway('tls', 'renew');
      const failed = await until('the order to fail', 180_000, async () => {
        const found = await certificate();
        return found?.['state'] === 'warning' && found['detail'];
      });
      expect(failed).toMatch(/the last order failed: registry\.example\.com: .*; .*see DNS/);
      // It is logged a moment after the records say it.
      await until('the log to say so', 180_000, async () => log.includes('no new certificate: registry.example.com'));
    });

    test('settings of another installation are not mistaken for a request', async () => {
      const refused = await run(process.execPath, [main, 'tls', 'renew'], { env: { SLIPWAY_DATA: data } });
      expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('SLIPWAY_ACME_DOMAINS')]);
    });

    test('a port for challenges that is taken ends the start with what to do', async () => {
      const elsewhere = join(data, 'second');
      const refused = await run(process.execPath, [main, 'serve'], {
        env: { ...env, SLIPWAY_DATA: elsewhere, SLIPWAY_PORT: String(await freePort()) },
      });
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/cannot answer ACME challenges at port \d+ .*another program has it.*HTTP_PORT/);
    });
  },
);
