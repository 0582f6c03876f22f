/** An id of a machine. */
export const machineId = /^i-[0-9a-f]{17}$/;

/** What a machine is to be. */
export interface MachineSpec {
  /** `i-` and 17 hexadecimal digits. Asking for the same id again is asking for the same machine. */
  readonly id: string;
  /** Of all machines of this account of this installation; the provider keeps it with the machine. */
  readonly owner: string;
  readonly account: string;
  readonly region: string;
  readonly group: string;
  readonly cluster: string;
  readonly zone: string;
  readonly subnet?: string;
  readonly instanceType: string;
  /** It may be one that can be taken back: what clouds call spot capacity. */
  readonly spot?: true;
  readonly imageId: string;
  /** What the launch template says, as it was written; user data in base64. */
  readonly template: Readonly<Record<string, unknown>>;
  readonly tags: Readonly<Record<string, string>>;
  /** The settings of its agent, for `/etc/ecs/ecs.config`: the cluster, the server's address, and its right to join. A secret. */
  readonly settings: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch until when it can join. */
  readonly joinUntil: number;
}

/** How a machine is that does not run: off, or with its memory on its disk. */
export type Rest = 'Stopped' | 'Hibernated';

/** A machine that a provider has. */
export interface ProvidedMachine {
  readonly id: string;
  readonly owner: string;
}

/**
 * What makes machines and ends them. All of it may be asked again at any time, and be interrupted at any point: a
 * server that was killed asks again.
 */
export interface InstanceProvider {
  readonly name: string;
  /**
   * Makes a machine, or finds that it is made. It need not have started when this resolves; it has to be in {@link list} from then on.
   * @throws ProviderError when it cannot be made; whatever was made of it until then {@link terminate} ends
   */
  launch(spec: MachineSpec, signal: AbortSignal): Promise<void>;
  /** How machines of it can wait in a warm pool, beside running: none of these without {@link stop} and {@link start}. */
  readonly rests?: readonly Rest[];
  /** Stops a machine, and keeps its disk; one that is stopped stays so. It is in {@link list} as before. @throws ProviderError */
  stop?(id: string, owner: string, rest: Rest, signal: AbortSignal): Promise<void>;
  /** Starts a machine that was stopped, with its agent; one that runs stays so. @throws ProviderError */
  start?(id: string, owner: string, signal: AbortSignal): Promise<void>;
  /** Ends a machine. One that is not there is ended. @throws ProviderError */
  terminate(id: string, owner: string, signal: AbortSignal): Promise<void>;
  /**
   * Every machine of an owner that there is, whether it runs or not.
   * @param expected ids that it had; one of which it cannot say whether it is there it lists, as what is not listed counts as gone
   * @throws ProviderError
   */
  list(owner: string, signal: AbortSignal, expected?: ReadonlySet<string>): Promise<readonly ProvidedMachine[]>;
}

/** What a provider was asked for and did not do; the message is for people, and holds no secret. */
export class ProviderError extends Error {
  override readonly name = 'ProviderError';
}

/** A line of what a program complained about, without what would act on a terminal. @param most characters */
export const readable = (line: string, most: number): string => line.replaceAll(/\p{Cc}/gu, ' ').slice(0, most);
