/** The client's side of a data channel of Session Manager, made for browsers: `browser/exec-client.ts`, which has node's types; see `build.ts`. */
export type Bytes = Uint8Array<ArrayBuffer>;

export interface ExecPorts {
  /** Sends one frame; nothing when there is no connection now. */
  readonly send: (frame: Bytes | string) => void;
  readonly output: (bytes: Uint8Array) => void;
  /** Whether more of that can be taken; see {@link ExecClient.resume}. */
  readonly hasRoom: () => boolean;
  /** Input is taken from now on. */
  readonly ready: () => void;
  readonly exited: (code: number) => void;
  /** The session is over; what the server says of that, if anything. */
  readonly closed: (said: string) => void;
}

export interface ExecClient {
  /** Begins the session, and sends what is not acknowledged again until the signal aborts. */
  run(token: string, signal: AbortSignal): Promise<'ended' | 'silent'>;
  /** Goes on over another connection: nothing is lost, or comes twice. */
  reopen(token: string): void;
  /** Takes one binary frame in. @throws Error for what is no message of the protocol */
  receive(frame: ArrayBuffer): void;
  /** There may be room for output again. @throws Error as {@link receive} */
  resume(): void;
  write(bytes: Bytes): void;
  resize(columns: number, rows: number): void;
  /** Ends the session, and the command with it. */
  terminate(): void;
}

export declare const openExec: (ports: ExecPorts) => ExecClient;
