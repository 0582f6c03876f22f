import { createHash } from 'node:crypto';
import { decodeJwt } from 'jose';
import { z } from 'zod';
import type { Clock } from '@slipway/storage/clock';
import { GatewayError } from '../contract/index.ts';

/** Where people of an organization sign in, and what this installation is there. */
export interface OidcSettings {
  /** `https://…`, as it is registered with IAM (`create-open-id-connect-provider`). */
  readonly issuer: string;
  /** Among the client ids that are registered with it. */
  readonly clientId: string;
  /** Of clients that have one; those without prove themselves by PKCE alone. */
  readonly clientSecret: string | undefined;
  /** `openid` and whatever brings the claims that trust policies ask for. */
  readonly scopes: readonly string[];
  /** What the page calls it. */
  readonly name: string;
  /** ARNs of roles; whoever signs in gets the first that trusts their token. */
  readonly roles: readonly [string, ...string[]];
}

/** Calls an address of the configuration or of the provider's own, guarded as every outbound request. */
export type OidcFetch = (
  url: string,
  init: {
    readonly method: 'GET' | 'POST';
    readonly headers: Record<string, string>;
    readonly body?: string;
    readonly signal: AbortSignal;
  },
) => Promise<Response>;

export interface OidcPorts {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly fetch: OidcFetch;
}

const https = z.url({ protocol: /^https$/ }).max(2048);
const configurationSchema = z.object({
  issuer: z.string(),
  authorization_endpoint: https,
  token_endpoint: https,
});
type Configuration = z.infer<typeof configurationSchema>;
const answerSchema = z.object({ id_token: z.string().min(4).max(20_000) });

/** What the provider says of itself is kept this long, and that it does not answer that long. Milliseconds. */
const [keptFor, awayFor] = [600_000, 10_000] as const;
/** Milliseconds of each request. */
const patience = 10_000;
/** Bytes of an answer. */
const mostOfAnswer = 256 * 1024;

/** One sign-in, from the page that begins it to the one that comes back. */
export interface Flow {
  /** Told to the provider, and by it to the page that comes back. */
  readonly state: string;
  /** In the token, so that it is of this sign-in and no other. */
  readonly nonce: string;
  /** PKCE (RFC 7636): proves that whoever began is who exchanges the code. */
  readonly verifier: string;
  readonly redirectUri: string;
}

/** The authorization code flow of OpenID Connect Core 1.0, section 3.1, as a client has it. */
export class OidcClient {
  readonly settings: OidcSettings;
  readonly #ports: OidcPorts;
  #known: { readonly at: number; readonly configuration: Promise<Configuration>; isAway: boolean } | undefined;

  constructor(settings: OidcSettings, ports: OidcPorts) {
    this.settings = settings;
    this.#ports = ports;
  }

  /** Where the browser is sent. @throws GatewayError `unavailable` */
  async address({ state, nonce, verifier, redirectUri }: Flow): Promise<string> {
    const { authorization_endpoint: endpoint } = await this.#configuration();
    const url = new URL(endpoint);
    for (const [name, value] of Object.entries({
      response_type: 'code',
      client_id: this.settings.clientId,
      redirect_uri: redirectUri,
      scope: this.settings.scopes.join(' '),
      state,
      nonce,
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }))
      url.searchParams.set(name, value);
    return url.href;
  }

  /**
   * The id token that a code stands for, once. It is of this sign-in and for this client; its signature is verified where it becomes a session.
   * @throws GatewayError `unauthenticated`, `unavailable`
   */
  async exchange(code: string, { nonce, verifier, redirectUri }: Flow): Promise<string> {
    const { clientId, clientSecret } = this.settings;
    const { token_endpoint: endpoint } = await this.#configuration();
    const form = new URLSearchParams({
      grant_type: 'authorization_code',
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
      ...(clientSecret === undefined ? { client_id: clientId } : {}),
    });
    const { status, body } = await this.#call(endpoint, {
      method: 'POST',
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        ...(clientSecret === undefined ? {} : { authorization: basic(clientId, clientSecret) }),
      },
      body: form.toString(),
    });
    if (status >= 500) throw away();
    const { data } = answerSchema.safeParse(body);
    // Codes work once and for a moment: who comes back late, or twice, signs in again.
    if (status !== 200 || data === undefined) throw refused('The identity provider does not confirm the sign-in.');
    if (!isOf(data.id_token, nonce, this.settings)) throw refused('The identity provider answers another sign-in.');
    return data.id_token;
  }

  #configuration(): Promise<Configuration> {
    const now = this.#ports.clock.monotonic();
    const known = this.#known;
    if (known !== undefined && now - known.at < (known.isAway ? awayFor : keptFor)) return known.configuration;
    const entry = { at: now, configuration: this.#discover(), isAway: false };
    entry.configuration.catch(() => (entry.isAway = true));
    this.#known = entry;
    return entry.configuration;
  }

  /** OpenID Connect Discovery 1.0, section 4. */
  async #discover(): Promise<Configuration> {
    const { issuer } = this.settings;
    const { status, body } = await this.#call(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, {
      method: 'GET',
      headers: {},
    });
    const { data } = configurationSchema.safeParse(body);
    if (status !== 200 || data?.issuer !== issuer) throw away();
    return data;
  }

  async #call(
    url: string,
    init: { readonly method: 'GET' | 'POST'; readonly headers: Record<string, string>; readonly body?: string },
  ): Promise<{ readonly status: number; readonly body: unknown }> {
    try {
      const answer = await this.#ports.fetch(url, {
        ...init,
        headers: { accept: 'application/json', ...init.headers },
        signal: AbortSignal.timeout(patience),
      });
      return { status: answer.status, body: parsed(await readAtMost(answer)) };
    } catch {
      // What exactly is wrong between this server and the provider is nothing for whoever has not signed in.
      throw away();
    }
  }
}

/**
 * Whether a token answers this sign-in, for this client: another client's of the same provider is none of ours, and neither is another provider's
 * that is registered as well, which this one could pass on (OpenID Connect Core 1.0, section 3.1.3.7).
 */
function isOf(token: string, nonce: string, { issuer, clientId }: OidcSettings): boolean {
  try {
    const claims = decodeJwt<{ readonly nonce?: unknown; readonly azp?: unknown }>(token);
    const { nonce: given, iss, sub, aud, azp } = claims;
    const audiences = Array.isArray(aud) ? aud : [aud];
    const isForUs = audiences.includes(clientId) && (audiences.length === 1 || azp !== undefined);
    const isOurs = given === nonce && iss === issuer && typeof sub === 'string';
    return isOurs && isForUs && (azp === undefined || azp === clientId);
  } catch {
    return false;
  }
}

/** RFC 6749, section 2.3.1: both are escaped as forms are. */
const basic = (id: string, secret: string): string => {
  const [name, password] = [id, secret].map((one) => new URLSearchParams({ '': one }).toString().slice(1));
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
};

async function readAtMost(answer: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > mostOfAnswer) throw new Error('the answer is too long');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export const refused = (message: string): GatewayError => new GatewayError('unauthenticated', message);
const away = (): GatewayError =>
  new GatewayError('unavailable', 'The identity provider does not answer; try again.', 5);
