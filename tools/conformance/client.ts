import { type Answer, type AskOptions, Connections, NoAnswer } from './exchange.ts';
import { type Credentials, Login } from './login.ts';

const maxRedirects = 5;
/** When so many times the time for one answer was waited in vain, nothing more is sent. */
const patience = 3;

/** A client for one registry: logs in when it is asked to, follows redirects and takes its credentials to no other host. */
export class RegistryClient {
  readonly registry: URL;
  /** Called with every answer that a check sees. */
  watch: (answer: Answer) => void = () => {};
  readonly #connections: Connections;
  readonly #login: Login;
  readonly #timeout: number;
  #waited = 0;

  /** @param timeout milliseconds that one answer may take */
  constructor(registry: URL, credentials: Credentials | undefined, timeout: number) {
    this.registry = registry;
    this.#timeout = timeout;
    this.#connections = new Connections(timeout);
    this.#login = new Login(registry, credentials, (url, headers) =>
      this.#connections.exchange('GET', url, { headers }),
    );
  }

  /** @throws NoAnswer */
  async ask(method: string, target: string | URL, options: AskOptions = {}): Promise<Answer> {
    const url = new URL(target, this.registry);
    if (this.#waited >= patience * this.#timeout)
      throw new NoAnswer(`${method} ${url.pathname}: not sent, too many requests got no answer in time`);
    const began = performance.now();
    try {
      const answer = await this.#loggedIn(method, url, options);
      this.watch(answer);
      return answer;
    } catch (error) {
      this.#waited += performance.now() - began;
      throw error;
    }
  }

  close(): void {
    this.#connections.close();
  }

  async #loggedIn(method: string, url: URL, options: AskOptions): Promise<Answer> {
    let answer = await this.#follow(method, url, options, this.#login.known(method, url));
    if (answer.status === 401) {
      const authorization = await this.#login.answerTo(answer, method, url);
      if (authorization !== undefined) answer = await this.#follow(method, url, options, authorization);
    }
    return answer;
  }

  async #follow(method: string, url: URL, options: AskOptions, authorization: string | undefined): Promise<Answer> {
    const reads = method === 'GET' || method === 'HEAD';
    const leads = reads ? [301, 302, 303, 307, 308] : [307, 308];
    let at = url;
    for (let turn = 0; turn <= maxRedirects; turn++) {
      const own = authorization === undefined || at.origin !== this.registry.origin ? {} : { authorization };
      const headers = { ...options.headers, ...own };
      const answer = await this.#connections.exchange(method, at, { ...options, headers });
      const location = answer.headers['location']?.[0];
      if (location === undefined || !leads.includes(answer.status)) return answer;
      if (!URL.canParse(location, at)) throw new NoAnswer(`${answer.what}: redirects to '${location}'`);
      at = new URL(location, at);
    }
    throw new NoAnswer(`${method} ${url.pathname}: more than ${maxRedirects} redirects`);
  }
}
