import type { ContainerDefinition, RegisterTaskDefinitionRequest, Task, TaskOverride } from '@aws-sdk/client-ecs';

/** A task definition in a shape that public projects have, and what it must come to. */
export interface Shape {
  /** Its family, too: letters, digits and hyphens. */
  readonly name: string;
  /** As somebody would write it; images are `appImage`. */
  readonly input: Omit<RegisterTaskDefinitionRequest, 'family'>;
  /** Members that read back otherwise than written, beside the defaults that every container gets: `undefined` for those that are left out. */
  readonly reads?: {
    readonly task?: Readonly<Record<string, unknown>>;
    readonly containers?: Readonly<Record<string, Partial<Record<keyof ContainerDefinition, unknown>>>>;
  };
  readonly overrides?: TaskOverride;
  /** What a task of it does; rejects when it does not. Undefined: no host of the test can run it, and `unplaced` says why. */
  readonly does?: (task: RunningTask) => Promise<void>;
  /** What RunTask says where no host can run it. */
  readonly unplaced?: RegExp;
  /** Among those that every run of the tests starts; the others are started nightly. */
  readonly sample?: true;
}

/** Stands for the image with busybox, in whose `/www` a page lies. */
export const appImage = 'registry.example.com/team/app:1';

/** A task that was started, as a shape's test asks it. Whatever waits does so for 60 seconds. */
export interface RunningTask {
  /** Waits until it runs. @throws Error with why it stopped, when it did */
  running(): Promise<Task>;
  /** Waits until it is over. @returns the task as it is described then */
  stopped(): Promise<Task>;
  /** Stops it and waits until it is over. */
  stop(): Promise<Task>;
  /** What a shell command prints in a running container, trimmed; with its standard error. */
  inside(container: string, script: string): Promise<string>;
  /** Runs a shell command until what it prints matches. */
  until(container: string, script: string, expected: RegExp): Promise<void>;
  /** What `docker logs` shows of a container. */
  logs(container: string): Promise<string>;
  /** What the host gets from an address, `http://…`, as from a browser on it. */
  fetch(url: string): Promise<string>;
}

/** A container of every shape: a page on port 8080. */
export const web = (more: Partial<ContainerDefinition> = {}): ContainerDefinition => ({
  name: 'web',
  image: appImage,
  memory: 64,
  ...more,
});

/** A container that runs a shell command. */
export const shell = (name: string, script: string, more: Partial<ContainerDefinition> = {}): ContainerDefinition => ({
  name,
  image: appImage,
  memory: 32,
  command: ['/bin/sh', '-c', script],
  ...more,
});

/** Runs until it is told to stop, and ends at once then. */
export const waiting = 'trap "exit 0" TERM; while :; do busybox sleep 1 & wait $!; done';

/** Fetches a page within a container, and prints what it says. Not by wget: a static busybox may crash in it for want of a resolver. */
export function page(url: string): string {
  const [, host = '', port = ''] = /^http:\/\/(.+):(\d+)\/$/.exec(url) ?? [];
  return `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 3 ${host} ${port} | busybox grep -o hello`;
}
