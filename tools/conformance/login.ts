import type { Answer } from './exchange.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface Challenge {
  /** In lower case. */
  readonly scheme: string;
  /** By name in lower case. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * Answers challenges as docker clients do: Basic with the credentials, Bearer with a token that the realm gives for the
 * scope. Kept by host, repository and kind of access, so that a run does not log in with each request.
 */
export class Login {
  readonly #registry: URL;
  readonly #credentials: Credentials | undefined;
  readonly #get: (url: URL, headers: Record<string, string>) => Promise<Answer>;
  readonly #answers = new Map<string, string>();

  constructor(
    registry: URL,
    credentials: Credentials | undefined,
    get: (url: URL, headers: Record<string, string>) => Promise<Answer>,
  ) {
    this.#registry = registry;
    this.#credentials = credentials;
    this.#get = get;
  }

  /** What was accepted for this kind of request before. */
  known(method: string, url: URL): string | undefined {
    return this.#answers.get(keyOf(method, url));
  }

  /** @returns the Authorization for a request that was answered 401; undefined when nothing is left to try */
  async answerTo(refusal: Answer, method: string, url: URL): Promise<string | undefined> {
    // A host that the registry only leads to gets no credentials.
    if (refusal.url.origin !== this.#registry.origin) return undefined;
    const challenges = parseChallenges(refusal.headers['www-authenticate'] ?? []);
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    const answer = bearer
      ? await this.#token(bearer, refusal, url)
      : challenges.some(({ scheme }) => scheme === 'basic')
        ? this.#basic()
        : undefined;
    if (answer !== undefined) this.#answers.set(keyOf(method, url), answer);
    return answer;
  }

  #basic(): string | undefined {
    if (this.#credentials === undefined) return undefined;
    const { username, password } = this.#credentials;
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }

  async #token({ parameters }: Challenge, refusal: Answer, url: URL): Promise<string | undefined> {
    const text = parameters.get('realm') ?? '';
    if (!URL.canParse(text, refusal.url)) return undefined;
    const realm = new URL(text, refusal.url);
    if (realm.protocol !== 'https:' && this.#registry.protocol === 'https:') return undefined;
    const service = parameters.get('service');
    if (service !== undefined) realm.searchParams.set('service', service);
    // To mount, a client must also be allowed to pull from the source.
    const source = url.searchParams.get('from');
    const scopes = [parameters.get('scope'), source === null ? undefined : `repository:${source}:pull`];
    for (const scope of scopes) if (scope !== undefined) realm.searchParams.append('scope', scope);
    const basic = this.#basic();
    const { status, body } = await this.#get(realm, basic === undefined ? {} : { authorization: basic });
    if (status !== 200) return undefined;
    const { access_token: access, token } = parseObject(body);
    const given = access ?? token;
    return typeof given === 'string' ? `Bearer ${given}` : undefined;
  }
}

const maxHeader = 8192;

/** Reads `WWW-Authenticate`, of which there may be several, each with several challenges (RFC 9110, section 11.6.1). */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  const item = /([\w!#$%&'*+.^`|~-]+)(?:\s?=\s?(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/g;
  for (const header of headers) {
    for (const [, name = '', quoted, plain] of header.slice(0, maxHeader).matchAll(item)) {
      const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
      if (value === undefined) challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
      else challenges.at(-1)?.parameters.set(name.toLowerCase(), value);
    }
  }
  return challenges;
}

function keyOf(method: string, url: URL): string {
  const repository = /^\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(url.pathname)?.[1] ?? '';
  const kind = method === 'GET' || method === 'HEAD' ? 'pull' : method === 'DELETE' ? 'delete' : 'push';
  return `${url.origin} ${repository} ${kind} ${url.searchParams.get('from') ?? ''}`;
}

function parseObject(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(body.toString())) as Record<string, unknown>;
  } catch {
    return {};
  }
}
