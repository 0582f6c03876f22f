import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import {
  BatchGetImageCommand,
  CreateRepositoryCommand,
  DescribeImagesCommand,
  type ECRClient,
  GetAuthorizationTokenCommand,
} from '@aws-sdk/client-ecr';
import { dockerName, parseImageReference } from '@slipway/scheduler/references';
import Docker from 'dockerode';
import { CliError } from '../errors.ts';
import { Progress } from '../progress.ts';
import type { App, AppContainer, ImageSource } from './model.ts';
import type { ImagePlan } from './plan.ts';
import { projectTag } from './registration.ts';

/** Where images are looked for and brought to. */
export class Images {
  readonly #ecr: ECRClient;
  readonly #registry: string;
  readonly #docker = new Docker();

  /** @param registry `host[:port]` of this installation's registry */
  constructor(ecr: ECRClient, registry: string) {
    this.#ecr = ecr;
    this.#registry = registry;
  }

  /** Builds what is to be built; the output is the engine's own, on standard error. @throws CliError when that fails */
  async build(app: App): Promise<void> {
    const built = new Set<string>();
    for (const { source } of app.services.flatMap(({ containers }) => containers)) {
      if (source.kind !== 'build' || built.has(source.image)) continue;
      built.add(source.image);
      await this.#build(source);
    }
  }

  async #build(source: ImageSource & { readonly kind: 'build' }): Promise<void> {
    const words = [
      'build',
      '--tag',
      source.image,
      ...(source.dockerfile === undefined ? [] : ['--file', resolve(source.context, source.dockerfile)]),
      ...(source.target === undefined ? [] : ['--target', source.target]),
      ...Object.entries(source.arguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]),
      source.context,
    ];
    const child = spawn('docker', words, { stdio: ['ignore', process.stderr, process.stderr] });
    // What cannot be started is an error, and no exit.
    const ended = await once(child, 'exit').then(
      ([code]) => code as number | null,
      (error: { readonly code?: string }) => error.code ?? 'error',
    );
    if (typeof ended === 'string')
      throw new CliError(
        `docker cannot be run (${ended}): it builds the image ${source.image}; install it, or name an image`,
      );
    if (ended !== 0) throw new CliError(`docker build of ${source.context} failed: its words are above`);
  }

  /** The port that an image of this machine's engine says it listens on; undefined when there is not exactly one. */
  async exposedPort(image: string): Promise<number | undefined> {
    const found = await this.#inspect(image);
    const ports = Object.keys(found?.Config?.ExposedPorts ?? {}).filter((port) => port.endsWith('/tcp'));
    return ports.length === 1 ? Number.parseInt(ports[0] ?? '', 10) : undefined;
  }

  /** How a container gets its image. @throws CliError when there is none */
  async plan({ source, definition }: AppContainer): Promise<ImagePlan> {
    const reference = parseImageReference(source.image);
    if (reference === undefined) throw new CliError(`${definition.name}: '${source.image}' is no image`, 2);
    const host = reference.host?.toLowerCase();
    const own = host === this.#registry.toLowerCase();
    // What another registry has is pulled from there by the hosts.
    if (source.kind === 'image' && host !== undefined && !own)
      return { container: definition.name, image: source.image };
    if (source.kind === 'build' && host !== undefined && !own)
      throw new CliError(
        `${definition.name}: what is built is pushed to ${this.#registry}: remove ${host}/ from its image`,
        2,
      );
    const { repository, tag = 'latest', digest } = reference;
    if (own && digest !== undefined) return { container: definition.name, image: source.image };
    const local = digest === undefined ? await this.#inspect(source.image) : undefined;
    const there = digest === undefined ? await this.#pushed(repository, tag) : undefined;
    const pinned = (at: string): ImagePlan => ({
      container: definition.name,
      image: `${this.#registry}/${repository}:${tag}@${at}`,
    });
    if (local === undefined && source.kind === 'image') {
      if (own && there === undefined)
        throw new CliError(
          `${definition.name}: there is no image ${repository}:${tag} in this registry: push it first`,
        );
      // Without a registry in its name, hosts pull it from Docker Hub.
      return own && there !== undefined ? pinned(there.digest) : { container: definition.name, image: source.image };
    }
    if (local !== undefined && there !== undefined && (there.config === local.Id || there.digest === local.Id))
      return pinned(there.digest);
    return {
      container: definition.name,
      push: { repository, tag, from: source.kind === 'build' ? source.context : source.image },
    };
  }

  /** Pushes an image to the repository, which is made where it is not there. @returns the image, pinned */
  async push(
    { repository, tag }: NonNullable<ImagePlan['push']>,
    source: ImageSource,
    project: string,
    repositories: Set<string>,
  ): Promise<string> {
    if (!repositories.has(repository)) {
      await this.#ecr.send(
        new CreateRepositoryCommand({ repositoryName: repository, tags: [{ Key: projectTag, Value: project }] }),
      );
      repositories.add(repository);
    }
    const { authorizationData } = await this.#ecr.send(new GetAuthorizationTokenCommand({}));
    const token = Buffer.from(authorizationData?.[0]?.authorizationToken ?? '', 'base64').toString();
    const name = `${this.#registry}/${repository}`;
    await this.#docker.getImage(source.image).tag({ repo: name, tag });
    const stream = await this.#docker.getImage(`${name}:${tag}`).push({
      authconfig: { username: 'AWS', password: token.slice(token.indexOf(':') + 1), serveraddress: this.#registry },
    });
    await this.#follow(stream, `push ${repository}:${tag}`);
    const there = await this.#pushed(repository, tag);
    if (there === undefined) throw new CliError(`${repository}:${tag} is not there after its push`);
    return `${name}:${tag}@${there.digest}`;
  }

  async #follow(stream: NodeJS.ReadableStream, what: string): Promise<void> {
    const progress = new Progress(what);
    const layers = new Map<string, { current: number; total: number }>();
    await new Promise<void>((done, reject) => {
      this.#docker.modem.followProgress(
        stream,
        (error: Error | null) => (error ? reject(new CliError(`${what}: ${error.message}`)) : done()),
        ({ id, progressDetail }: { id?: string; progressDetail?: { current?: number; total?: number } }) => {
          if (id !== undefined && progressDetail?.total !== undefined)
            layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
          const sum = (key: 'current' | 'total'): number =>
            [...layers.values()].reduce((all, one) => all + one[key], 0);
          if (layers.size > 0) progress.bar(sum('current'), sum('total'), 'bytes');
        },
      );
    }).finally(() => progress.end());
  }

  async #inspect(image: string): Promise<Docker.ImageInspectInfo | undefined> {
    const reference = parseImageReference(image);
    if (reference === undefined) return undefined;
    try {
      return await this.#docker.getImage(dockerName(reference)).inspect();
    } catch (error) {
      const { statusCode, code, message } = error as { statusCode?: number; code?: string; message: string };
      // Without an engine here, images are those of registries.
      if (statusCode === 404 || code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'EACCES') return undefined;
      throw new CliError(`the Docker engine of this machine says of ${image}: ${message}`);
    }
  }

  /** What this registry has under a tag: its digest and that of its configuration, which is an engine's id of an image. */
  async #pushed(repositoryName: string, tag: string): Promise<{ digest: string; config?: string } | undefined> {
    try {
      const imageIds = [{ imageTag: tag }];
      const { imageDetails } = await this.#ecr.send(new DescribeImagesCommand({ repositoryName, imageIds }));
      const digest = imageDetails?.[0]?.imageDigest;
      if (digest === undefined) return undefined;
      const { images } = await this.#ecr.send(new BatchGetImageCommand({ repositoryName, imageIds }));
      const manifest = JSON.parse(images?.[0]?.imageManifest ?? '{}') as { config?: { digest?: string } };
      const config = manifest.config?.digest;
      return { digest, ...(config === undefined ? {} : { config }) };
    } catch (error) {
      if (/^(RepositoryNotFound|ImageNotFound)Exception$/.test((error as Error).name)) return undefined;
      throw error;
    }
  }
}
