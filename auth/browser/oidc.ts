import { timingSafeEqual } from 'node:crypto';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import type { Clock } from '@slipway/storage/clock';
import { AwsError, type Call, GatewayError, type Principal } from '../contract/index.ts';
import type { Identity } from '../identity/index.ts';
import { type Flow, OidcClient, type OidcFetch, type OidcSettings, refused } from './oidc-client.ts';

export interface OidcOptions {
  readonly settings: OidcSettings;
  readonly fetch: OidcFetch;
  /** For trust policies that ask for them. */
  readonly account: string;
  readonly region: string;
}

interface Ports {
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly random: (size: number) => Uint8Array;
  readonly identity: Pick<Identity, 'takeRole' | 'sealer'>;
}

/** What a page that comes back from the provider signs in with. */
export const returnedSchema = z.strictObject({
  state: z.string().min(1).max(256),
  code: z.string().min(1).max(4096),
  /** What the page kept when it began. */
  begun: z.string().min(1).max(4096),
});

/** People take as long as this at the provider. Milliseconds. */
const patience = 900_000;
/** Codes that are exchanged at once: each is a connection to the provider, which strangers could have us flood while it is slow. */
const mostExchanges = 32;
/** What is sealed is for this alone. */
const purpose = 'console sign-in by OpenID Connect';
const flowSchema = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  redirectUri: z.string(),
  until: z.number(),
});

/**
 * Signing in where an organization's people sign in. Nothing is kept here between the two halves: the page keeps the sealed half that it was
 * given, where no other origin can read or put it, so that nobody is made to act as somebody else by a link; strangers cost no memory and no
 * record.
 */
export class OidcSignIn {
  readonly #client: OidcClient;
  readonly #ports: Ports;
  readonly #where: Pick<Call, 'account' | 'region'>;
  #exchanging = 0;

  constructor(options: OidcOptions, ports: Ports) {
    const { settings, account, region } = options;
    this.#where = { account, region };
    this.#client = new OidcClient(settings, { clock: ports.clock, fetch: options.fetch });
    this.#ports = ports;
  }

  get name(): string {
    return this.#client.settings.name;
  }

  /**
   * Begins a sign-in.
   * @param endpoint scheme and authority of the page, which is what the provider leads back to
   * @returns where the browser goes, and what its page keeps until it comes back
   * @throws GatewayError `unavailable`
   */
  async begin(endpoint: string): Promise<{ readonly url: string; readonly begun: string }> {
    const flow: Flow = {
      state: this.#secret(),
      nonce: this.#secret(),
      verifier: this.#secret(),
      redirectUri: `${endpoint}/console/`,
    };
    const url = await this.#client.address(flow);
    const until = this.#ports.clock.now() + patience;
    return { url, begun: this.#ports.identity.sealer.seal(JSON.stringify({ ...flow, until }), purpose) };
  }

  /**
   * Who has signed in: a session of the first role that trusts the token.
   * @throws GatewayError `unauthenticated`, `unavailable`; `throttled` while very many sign in
   */
  async finish(
    { state, code, begun }: z.infer<typeof returnedSchema>,
    from: { readonly sourceIp: string; readonly userAgent: string; readonly endpoint: string },
  ): Promise<Principal> {
    const flow = this.#opened(begun);
    if (flow === undefined || !same(flow.state, state) || flow.redirectUri !== `${from.endpoint}/console/`)
      throw refused('This sign-in was not begun here, or too long ago. Sign in again.');
    const token = await this.#exchanged(code, flow);
    const call: Call = {
      requestId: 'console sign-in',
      principal: { type: 'anonymous', account: '', arn: '*', id: '' },
      ...this.#where,
      ...from,
      time: new Date(this.#ports.clock.now()),
      signal: AbortSignal.timeout(30_000),
    };
    const sessionName = sessionNameOf(token);
    for (const roleArn of this.#client.settings.roles)
      try {
        return await this.#ports.identity.takeRole({ roleArn, token, sessionName }, call);
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        // The next role may trust it.
        if (error.code !== 'AccessDenied') throw worded(error);
      }
    throw refused('No role of this installation trusts who signed in. An administrator can change who is trusted.');
  }

  async #exchanged(code: string, flow: Flow): Promise<string> {
    if (this.#exchanging >= mostExchanges)
      throw new GatewayError('throttled', 'Too many people sign in at this moment; try again.', 1);
    this.#exchanging += 1;
    try {
      return await this.#client.exchange(code, flow);
    } finally {
      this.#exchanging -= 1;
    }
  }

  #opened(begun: string): z.infer<typeof flowSchema> | undefined {
    try {
      const text = this.#ports.identity.sealer.open(begun, purpose);
      const flow = flowSchema.parse(JSON.parse(text));
      return flow.until > this.#ports.clock.now() ? flow : undefined;
    } catch {
      return undefined;
    }
  }

  #secret(): string {
    return Buffer.from(this.#ports.random(32)).toString('base64url');
  }
}

function same(a: string, b: string): boolean {
  const [wanted, given] = [Buffer.from(a), Buffer.from(b)];
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}

/**
 * What the session is called, for audit lines: an address that the provider has verified, else the subject. Other names are their owner's to
 * choose, and could be somebody else's.
 */
export function sessionNameOf(token: string): string {
  const {
    email,
    email_verified: isVerified,
    sub = '',
  } = decodeJwt<{ email?: unknown; email_verified?: unknown }>(token);
  const name = typeof email === 'string' && isVerified === true ? email : sub;
  return name
    .replaceAll(/[^\w+=,.@-]/g, '-')
    .slice(0, 64)
    .padEnd(2, '-');
}

/** What is wrong with the provider or its registration is for whoever looks after it. */
function worded(error: AwsError): GatewayError {
  if (error.code === 'IDPCommunicationErrorException')
    return new GatewayError('unavailable', 'The identity provider does not answer; try again.', 5);
  return refused(`The sign-in is not accepted: ${error.message}`);
}
