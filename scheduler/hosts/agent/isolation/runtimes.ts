/** What an engine says of a runtime that is registered with it (Docker Engine API, `Runtimes` of `/info`). */
export interface EngineRuntime {
  readonly path?: string;
  readonly runtimeArgs?: readonly string[] | null;
  /** Of runtimes that containerd runs by a shim. */
  readonly runtimeType?: string;
}

/** What containers can be isolated by on a host. */
export interface Isolation {
  /** The runtime's name with the engine. */
  readonly runtime: string;
  /** Whether the containers of a task share its network interface: Docker gives each a sandbox of its own. */
  readonly several: boolean;
}

/** The names that tasks are isolated by are shown as values of an attribute. */
const names = /^[\w.-]{1,64}$/;

/**
 * What a runtime does for tasks of Fargate, or why it does not do. Of gVisor only a runtime is taken that leaves the network to the
 * kernel (`--network=host`): its own would take the address away from the namespace of the task, where the next container finds none.
 *
 * @param name as `--isolation` has it
 */
export function isolationBy(
  name: string,
  runtimes: Readonly<Record<string, EngineRuntime>>,
): Isolation | { readonly reason: string } {
  const found = names.test(name) && Object.hasOwn(runtimes, name) ? runtimes[name] : undefined;
  if (found === undefined) return { reason: `no runtime ${name} is registered with the Docker engine` };
  const words = found.runtimeArgs ?? [];
  const program = [found.path ?? '', found.runtimeType ?? ''].map((text) => text.slice(text.lastIndexOf('/') + 1));
  // Each is a machine of its own, and two of them cannot be one network interface.
  if (program.some((text) => text.includes('kata'))) return { runtime: name, several: false };
  if (!program.some((text) => text.includes('runsc')))
    return { reason: `the runtime ${name} of the Docker engine is neither gVisor (runsc) nor Kata` };
  if (isSet(words, 'ignore-cgroups', yes))
    return { reason: `the runtime ${name} has --ignore-cgroups, so that nothing limits a task` };
  if (!isSet(words, 'network', 'host')) return { reason: `register the runtime ${name} with --network=host` };
  return { runtime: name, several: true };
}

/** What a flag says for yes, if it says anything (Go, strconv.ParseBool). */
const yes = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

/** Whether a flag has a value, in the ways in which Go's programs take flags; the last one counts. */
function isSet(words: readonly string[], flag: string, value: string | ReadonlySet<string>): boolean {
  let is = false;
  for (const [index, word] of words.entries()) {
    const [, name, given] = /^--?([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name !== flag) continue;
    is = typeof value === 'string' ? (given ?? words[index + 1]) === value : value.has(given ?? 'true');
  }
  return is;
}
