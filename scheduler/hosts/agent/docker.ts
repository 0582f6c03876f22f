import Docker from 'dockerode';

/** The Docker engine does not answer: nothing is known to have failed, and everything waits until it is back. */
export class EngineUnavailable extends Error {
  override readonly name = 'EngineUnavailable';
}

/** The Docker engine refused a request. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly status: number;
  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

const unreachable = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ENOENT',
  'EACCES',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

/** Runs one request to the Docker engine and turns what it throws into {@link EngineUnavailable} or {@link EngineError}. */
export async function engineCall<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw engineError(cause);
  }
}

/** The house form of an error of the Docker client. */
function engineError(cause: unknown): Error {
  if (!(cause instanceof Error) || cause instanceof EngineUnavailable || cause instanceof EngineError) {
    return cause instanceof Error ? cause : new Error(String(cause));
  }
  const { statusCode, code, json } = cause as Error & {
    statusCode?: number;
    code?: string;
    json?: { message?: string };
  };
  if (statusCode !== undefined) {
    // Without a parsed body the client says `(HTTP code 404) no such image - …` around what the engine said.
    const said = json?.message ?? cause.message.replace(/^\(HTTP code \d+\) [^-]*- /, '');
    return new EngineError(statusCode, said.trim(), { cause });
  }
  if ((code !== undefined && unreachable.has(code)) || cause.message === 'socket hang up') {
    return new EngineUnavailable(`the Docker engine does not answer: ${cause.message}`, { cause });
  }
  return cause;
}

/** A client for the engine at `options`, or at `DOCKER_HOST`, or at the default socket. */
export const openDocker = (options: Docker.DockerOptions | undefined): Docker => new Docker(options);

/** What labels say about whose a container or volume is: the agent, the installation, the task, the container's name in it; the cluster whose tasks share a volume. */
export const labels = {
  agent: 'dev.slipway.agent',
  installation: 'dev.slipway.installation',
  task: 'com.amazonaws.ecs.task-arn',
  name: 'com.amazonaws.ecs.container-name',
  cluster: 'com.amazonaws.ecs.cluster',
  family: 'com.amazonaws.ecs.task-definition-family',
  version: 'com.amazonaws.ecs.task-definition-version',
  sharedVolume: 'dev.slipway.shared-volume',
} as const;

/** Labels of a definition, without those that say whose something is: they come from nobody but the agent. */
export function withoutOurs(given: Readonly<Record<string, string>> | null | undefined): Record<string, string> {
  const own = new Set<string>(Object.values(labels));
  return Object.fromEntries(Object.entries(given ?? {}).filter(([name]) => !own.has(name)));
}
