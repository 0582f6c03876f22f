import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** People who sign in there, by the name that they type: what is in their tokens. */
export type People = Readonly<Record<string, object>>;

interface Provider {
  proxy: boolean;
  callback(): RequestListener;
}
type ProviderClass = new (issuer: string, configuration: object) => Provider;

const artifacts = ['AccessToken', 'AuthorizationCode', 'Grant', 'IdToken', 'Interaction', 'Session'];

/** Where it says to be; only those who are led to it find it. */
export const issuer = 'https://id.example';

/**
 * An identity provider as organizations have one: the certified server `oidc-provider` (one maintainer of `jose`, who releases it every few
 * weeks), for tests alone. Its name is https, as names of providers must be; requests are led to a port of this machine.
 */
export class IdentityProvider implements AsyncDisposable {
  readonly #server: Server;
  readonly #base: string;
  /** What the provider was asked for by servers, in order. */
  readonly asked: string[] = [];
  /** Takes the place of the next answers to servers, by path. */
  readonly instead = new Map<string, () => Response>();
  isAway = false;

  private constructor(server: Server) {
    this.#server = server;
    this.#base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async open(clients: readonly object[], people: People): Promise<IdentityProvider> {
    // As a text of its own, so that who has not installed it can check all else.
    const name: string = 'oidc-provider';
    const { Provider } = (await import(name)) as { Provider: ProviderClass };
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
    const provider = new Provider(issuer, {
      clients,
      jwks: { keys: [{ ...key, alg: 'RS256', use: 'sig', kid: 'one' }] },
      cookies: { keys: [randomBytes(16).toString('hex')] },
      claims: { openid: ['sub'], email: ['email', 'email_verified'], groups: ['groups'] },
      conformIdTokenClaims: false,
      // Seconds; it would tell at length that nobody has chosen them.
      ttl: Object.fromEntries(artifacts.map((artifact) => [artifact, 600])),
      findAccount: (_ctx: unknown, sub: string) =>
        people[sub] === undefined
          ? undefined
          : { accountId: sub, claims: async () => ({ sub, ...(people[sub] as object) }) },
    });
    provider.proxy = true;
    const server = createServer(provider.callback());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new IdentityProvider(server);
  }

  /** How servers reach it. */
  readonly fetch = async (
    url: string,
    init: {
      readonly method?: string;
      readonly headers: Record<string, string>;
      readonly body?: string;
      readonly signal: AbortSignal;
    },
  ): Promise<Response> => {
    const { pathname } = new URL(url);
    this.asked.push(pathname);
    if (this.isAway) throw new TypeError('nobody is there');
    return this.instead.get(pathname)?.() ?? fetch(this.#at(url), { ...init, headers: this.#from(init.headers) });
  };

  /** What a browser does there: somebody signs in and agrees. @returns where it is led back to */
  async visit(address: string, person: string): Promise<URL> {
    const cookies = new Map<string, string>();
    let next: string | undefined = address;
    let form: URLSearchParams | undefined;
    for (let step = 0; step < 20 && next !== undefined; step++) {
      const url: string = new URL(next, issuer).href;
      if (!url.startsWith(issuer)) return new URL(url);
      const answer = await fetch(this.#at(url), {
        method: form === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        headers: this.#from({ cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') }),
        ...(form === undefined ? {} : { body: form }),
      });
      for (const cookie of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
        if (value === '') cookies.delete(name);
        else cookies.set(name, value);
      }
      const page = await answer.text();
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
      form = prompt === undefined ? undefined : new URLSearchParams({ prompt, login: person, password: 'any' });
      next = answer.headers.get('location') ?? (prompt === undefined ? undefined : url);
    }
    throw new Error(`the provider leads nowhere: ${next ?? ''}`);
  }

  #at(url: string): string {
    return url.replace(issuer, this.#base);
  }

  #from(headers: Record<string, string>): Record<string, string> {
    return { ...headers, 'x-forwarded-proto': 'https', 'x-forwarded-host': new URL(issuer).host };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
