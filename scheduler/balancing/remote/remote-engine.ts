import type { Clock } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

import { EngineError, readApplied, type TrafficEngine } from '../engines/index.ts';

import { answerShape, type Call, readFrame, readObservation } from './frames.ts';

/** Milliseconds for an answer. */
const patience = 60_000;

/** An engine at the other end of a connection, by the same contract as one of this machine. */
export interface RemoteEngine {
  readonly open: () => Promise<TrafficEngine>;
  /** Resolves when the connection is over: `left` when the engine has ended for good. */
  readonly over: Promise<'left' | 'lost'>;
}

/** @param name for errors */
export function remoteEngine(
  ws: Pick<WebSocket, 'on' | 'send' | 'terminate' | 'readyState' | 'OPEN'>,
  { name, kind, clock }: { readonly name: string; readonly kind: TrafficEngine['kind']; readonly clock: Clock },
): RemoteEngine {
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>();
  let last = 0;
  let isOver = false;
  const { promise: over, resolve } = Promise.withResolvers<'left' | 'lost'>();
  const lost = (): EngineError =>
    new EngineError(`the engine ${name} is not connected: slipway balancer on its host connects again by itself`);

  function end(how: 'left' | 'lost'): void {
    isOver = true;
    resolve(how);
    for (const { reject } of waiting.values()) reject(lost());
    waiting.clear();
  }

  ws.on('message', (data: Buffer, isBinary: boolean) => {
    const answer = isBinary ? undefined : readFrame(answerShape, data);
    // Who says what is no answer is no engine of ours.
    if (answer === undefined) return ws.terminate();
    if ('leave' in answer) return end('left');
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('error' in answer) asked?.reject(new EngineError(answer.error));
    else asked?.resolve(answer.answer);
  });
  ws.on('close', () => end('lost'));
  ws.on('error', () => ws.terminate());

  async function ask(call: Call): Promise<unknown> {
    if (isOver || ws.readyState !== ws.OPEN) throw lost();
    const id = ++last;
    const done = new AbortController();
    try {
      return await new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        ws.send(JSON.stringify({ id, ...call }));
        clock.sleep(patience, done.signal).then(
          () => reject(new EngineError(`the engine ${name} has not answered for ${patience / 1000} seconds`)),
          () => undefined,
        );
      });
    } finally {
      done.abort();
      waiting.delete(id);
    }
  }

  const engine: TrafficEngine = {
    kind,
    apply: async (desired) => readApplied(await ask({ call: 'apply', desired })),
    observe: async () => readObservation(await ask({ call: 'observe' })),
    stop: async () => void (await ask({ call: 'stop' })),
    // Who opens it again closes it before, and so does the end of the connection.
    close: () => Promise.resolve(),
  };
  return {
    over,
    async open() {
      await ask({ call: 'open' });
      return engine;
    },
  };
}
