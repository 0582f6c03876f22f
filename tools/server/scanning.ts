import { join } from 'node:path';
import { type Identity, instanceRole, roleArn, sessionArn } from '@slipway/auth/identity';
import type { Outbound } from '@slipway/auth/outbound';
import type { TokenService } from '@slipway/auth/tokens';
import { openAdvisories } from '@slipway/registry/advisories';
import { adapterScanner, commandScanner, embeddedScanner, type Scanner } from '@slipway/registry/scanning';
import type { Clock } from '@slipway/storage/clock';
import type { ServerConfig } from './config.ts';

/** Where the embedded scanner's advisories lie; `slipway scan update` fills the file. */
export const advisoriesFile = (data: string): string => join(data, 'advisories.sqlite');

export interface ScannerPorts {
  readonly config: ServerConfig;
  readonly identity: Identity;
  readonly tokens: TokenService;
  readonly outbound: Outbound;
  readonly clock: Clock;
  /** Where the registry answers, e.g. `http://127.0.0.1:7500`. */
  readonly endpoint: () => string;
}

/** The scanner that the configuration names, and how to close it. */
export function openScanner(ports: ScannerPorts): { readonly scanner: Scanner; close(): void } {
  const { config, endpoint } = ports;
  switch (config.scanner.type) {
    case 'embedded': {
      const advisories = openAdvisories(advisoriesFile(config.data));
      return { scanner: embeddedScanner({ advisories }), close: () => advisories.close() };
    }
    case 'command': {
      const [program = '', ...words] = config.scanner.command;
      const reference = ({ repository, digest }: { repository: string; digest: string }): string =>
        `${new URL(endpoint()).host}/${repository}@${digest}`;
      return { scanner: commandScanner({ program, arguments: words, reference }), close: () => undefined };
    }
    case 'adapter': {
      const scanner = adapterScanner({
        url: config.scanner.url,
        // Read as it comes, within the scanner's own limits of size, shape and time; a redirect ("not yet") is an answer.
        fetch: (url, { method, headers, body, signal }) =>
          ports.outbound.stream(url, {
            method,
            headers,
            signal,
            ...(body === undefined ? {} : { body: Buffer.from(body) }),
          }),
        clock: ports.clock,
        registry: async () => ({ url: endpoint(), authorization: await pullAuthorization(ports) }),
      });
      return { scanner, close: () => undefined };
    }
  }
}

const sessionName = 'scanner';

/** Whether a caller is the scanner itself, which must be able to pull what nobody has judged yet. */
export const isScanner =
  (account: string) =>
  (caller: string): boolean =>
    caller === sessionArn(account, instanceRole.name, sessionName);

/** A header with which an adapter may pull for a while: a session of the role that container instances pull with. */
async function pullAuthorization({ config, identity, tokens }: ScannerPorts): Promise<string> {
  const { principal } = await identity.issueSession({
    roleArn: roleArn(config.account, instanceRole),
    sessionName,
    service: 'ec2.amazonaws.com',
    durationSeconds: 3600,
  });
  return `Basic ${(await tokens.issueAuthorization(principal)).token}`;
}
