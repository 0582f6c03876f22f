import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import Docker from 'dockerode';

/** How a request of the agent fails: the engine's refusal, an answer that is none or never comes, or a connection that ends. */
export type Failure = 'refuse' | 'garbage' | 'drop' | 'text' | 'silence';

/** A container of a {@link FakeEngine}, in the words of Docker's inspection. */
export interface FakeContainer {
  readonly id: string;
  readonly name: string;
  readonly config: Docker.ContainerCreateOptions;
  state: 'created' | 'running' | 'exited';
  exitCode: number;
  oom: boolean;
  starts: number;
  startedAt: Date | undefined;
  finishedAt: Date | undefined;
}

type Answer = readonly [status: number, body?: unknown];

const never = '0001-01-01T00:00:00Z';
const noSuch = (what: string): Answer => [404, { message: `No such ${what}` }];

/**
 * Docker's Engine API as far as the agent asks it, in memory: containers run until a test ends them. It fails on demand,
 * and what a test makes of a container is at once what the agent sees.
 */
export class FakeEngine implements AsyncDisposable {
  readonly containers = new Map<string, FakeContainer>();
  /** What the engine pulls; everything else is unknown. */
  readonly pullable = new Set<string>();
  readonly images = new Set<string>();
  /** What a pull of an image that cannot be pulled says, in the stream of its progress. */
  pullError = 'manifest unknown';
  /** The description of the default bridge. */
  bridge: object = { Options: {}, IPAM: { Config: [{ Gateway: '172.17.0.1' }] } };
  readonly volumes = new Map<string, { Name: string; Labels: Record<string, string> }>();
  /** `METHOD /path` of every request, in order. */
  readonly asked: string[] = [];
  /** The logins that pulls came with, by image. */
  readonly logins = new Map<string, string | undefined>();
  /** Asked before every request. */
  fail: (request: string) => Failure | undefined = () => undefined;
  readonly #server: Server;
  readonly #listeners = new Set<ServerResponse>();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async open(): Promise<FakeEngine> {
    const engine = new FakeEngine();
    await new Promise<void>((resolve) => engine.#server.listen(0, '127.0.0.1', resolve));
    return engine;
  }

  /** Options of dockerode. */
  get docker(): Docker.DockerOptions {
    const address = this.#server.address();
    return { protocol: 'http', host: '127.0.0.1', port: typeof address === 'object' ? (address?.port ?? 0) : 0 };
  }

  /** The containers of one task. */
  of(taskArn: string): FakeContainer[] {
    return [...this.containers.values()].filter(
      ({ config }) => config.Labels?.['com.amazonaws.ecs.task-arn'] === taskArn,
    );
  }

  /** A container ends by itself, or because of its memory limit. */
  exit(container: FakeContainer, exitCode: number, oom = false): void {
    Object.assign(container, { state: 'exited', exitCode, oom, finishedAt: new Date() });
    this.#tell('die', container);
  }

  /** Somebody removes a container behind the agent's back. */
  prune(container: FakeContainer): void {
    this.containers.delete(container.id);
    this.#tell('destroy', container);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://engine');
    const asked = `${request.method} ${url.pathname}`;
    this.asked.push(asked);
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const failure = this.fail(asked);
    if (failure === 'drop') response.destroy();
    else if (failure === 'silence') return;
    else if (failure === 'refuse') send(response, [500, { message: 'injected failure' }]);
    else if (failure === 'garbage') response.end('<html>not JSON');
    // What the Docker client wraps in words of its own.
    else if (failure === 'text')
      response.writeHead(404, { 'Content-Type': 'text/plain' }).end('manifest for it not found: manifest unknown');
    else if (asked === 'GET /events') this.#follow(response);
    else send(response, this.#answer(asked, url, text, request));
  }

  #follow(response: ServerResponse): void {
    response.writeHead(200).flushHeaders();
    this.#listeners.add(response);
    response.on('close', () => this.#listeners.delete(response));
  }

  #tell(action: string, { id, config }: FakeContainer): void {
    const event = JSON.stringify({ Type: 'container', Action: action, Actor: { ID: id, Attributes: config.Labels } });
    for (const response of this.#listeners) response.write(`${event}\n`);
  }

  #answer(asked: string, url: URL, text: string, request: IncomingMessage): Answer {
    if (asked === 'GET /_ping') return [200, 'OK'];
    if (asked === 'GET /version') return [200, { Version: '29.0.0', ApiVersion: '1.50' }];
    if (asked === 'GET /info') {
      const plugins = { Log: ['json-file', 'awslogs'], Volume: ['local'] };
      const system = { OSType: 'linux', OperatingSystem: 'Fake', Architecture: 'x86_64' };
      return [200, { NCPU: 4, MemTotal: 8 * 2 ** 30, Plugins: plugins, SecurityOptions: [], ...system }];
    }
    if (asked === 'GET /networks/bridge') return [200, this.bridge];
    if (asked.startsWith('POST /images/create')) return this.#pull(url, request);
    if (asked.startsWith('GET /images/')) return this.#image(decodeURIComponent(asked.slice(12, -5)));
    if (asked.startsWith('POST /volumes/create')) {
      const volume = JSON.parse(text) as { Name: string; Labels: Record<string, string> };
      if (!this.volumes.has(volume.Name)) this.volumes.set(volume.Name, volume);
      return [201, this.volumes.get(volume.Name)];
    }
    const [, method = '', volume = ''] = /^(\w+) \/volumes\/(.+)$/.exec(asked) ?? [];
    if (volume !== '') {
      const found = this.volumes.get(volume);
      if (method === 'DELETE') this.volumes.delete(volume);
      return found === undefined ? noSuch('volume') : [method === 'DELETE' ? 204 : 200, found];
    }
    if (asked === 'GET /containers/json') return [200, this.#list(url)];
    if (asked === 'POST /containers/create') return this.#create(url.searchParams.get('name') ?? '', text);
    return this.#container(asked);
  }

  #pull(url: URL, request: IncomingMessage): Answer {
    const [name, tag = ''] = [url.searchParams.get('fromImage') ?? '', url.searchParams.get('tag') ?? undefined];
    const image = `${name}${tag.includes(':') ? '@' : ':'}${tag}`;
    const auth = request.headers['x-registry-auth'];
    const login = typeof auth === 'string' ? Buffer.from(auth, 'base64').toString() : '{}';
    this.logins.set(image, (JSON.parse(login) as { password?: string }).password);
    if (!this.pullable.has(image)) return [200, `${JSON.stringify({ error: this.pullError })}\n`];
    this.images.add(image);
    return [200, '{"status":"done"}\n'];
  }

  #image(name: string): Answer {
    const known = this.images.has(name) || (!name.includes('@') && this.images.has(`${name}:latest`));
    if (!known) return noSuch(`image: ${name}`);
    const digest = `sha256:${createHash('sha256').update(name).digest('hex')}`;
    const repository = (name.split('@')[0] ?? '').replace(/:[^/:]*$/, '');
    const pinned = name.includes('@') ? name : `${repository}@${digest}`;
    return [200, { Id: digest, RepoDigests: [pinned] }];
  }

  #list(url: URL): object[] {
    const filters = JSON.parse(url.searchParams.get('filters') ?? '{}') as { label?: string[] };
    const wanted = (filters.label ?? []).map((label) => label.split('='));
    return [...this.containers.values()]
      .filter(({ config }) =>
        wanted.every(([name = '', value]) =>
          value === undefined ? Object.hasOwn(config.Labels ?? {}, name) : config.Labels?.[name] === value,
        ),
      )
      .map(({ id, name, config, state }) => ({ Id: id, Names: [`/${name}`], Labels: config.Labels, State: state }));
  }

  #create(name: string, text: string): Answer {
    const config = JSON.parse(text) as Docker.ContainerCreateOptions;
    if (this.#find(name) !== undefined) return [409, { message: `The container name "/${name}" is already in use` }];
    const id = randomUUID().replaceAll('-', '');
    const times = { startedAt: undefined, finishedAt: undefined };
    const container: FakeContainer = {
      id,
      name,
      config,
      state: 'created',
      exitCode: 0,
      oom: false,
      starts: 0,
      ...times,
    };
    this.containers.set(id, container);
    this.#tell('create', container);
    return [201, { Id: id }];
  }

  #find(idOrName: string): FakeContainer | undefined {
    return this.containers.get(idOrName) ?? [...this.containers.values()].find(({ name }) => name === idOrName);
  }

  #container(asked: string): Answer {
    const [, method = '', idOrName = '', what = ''] = /^(\w+) \/containers\/([^/]+)\/?(\w*)$/.exec(asked) ?? [];
    const container = this.#find(idOrName);
    if (container === undefined) return noSuch(`container: ${idOrName}`);
    if (method === 'DELETE') {
      this.prune(container);
      return [204];
    }
    switch (what) {
      case 'json':
        return [200, inspection(container)];
      case 'start':
        if (container.state === 'running') return [304];
        Object.assign(container, { state: 'running', oom: false, startedAt: new Date(), starts: container.starts + 1 });
        this.#tell('start', container);
        return [204];
      case 'stop':
        if (container.state !== 'running') return [304];
        this.exit(container, 143);
        return [204];
      case 'stats':
        return [200, {}];
      default:
        return [400, { message: `the fake engine does not know ${asked}` }];
    }
  }
}

function inspection({ id, name, config, ...now }: FakeContainer): object {
  return {
    Id: id,
    Name: `/${name}`,
    Created: never,
    Image: config.Image,
    Config: config,
    HostConfig: config.HostConfig ?? {},
    RestartCount: 0,
    State: {
      Status: now.state,
      Running: now.state === 'running',
      ExitCode: now.exitCode,
      OOMKilled: now.oom,
      StartedAt: now.startedAt?.toISOString() ?? never,
      FinishedAt: now.finishedAt?.toISOString() ?? never,
    },
    NetworkSettings: { Ports: {}, Networks: {} },
  };
}

function send(response: ServerResponse, [status, body]: Answer): void {
  response.writeHead(status, { 'Content-Type': 'application/json' });
  const none = body === undefined || status === 204 || status === 304;
  response.end(none ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
}
