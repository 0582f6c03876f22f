import { writeSync } from 'node:fs';
import { type Debugger, type InspectorNotification, Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';

/** What the thread is given: a number that grows while the event loop of the process turns. */
export interface Watched {
  readonly beats: SharedArrayBuffer;
  readonly stallMs: number;
}

/** A stall that is over. */
export interface WatchdogMessage {
  readonly milliseconds: number;
  /** Functions that ran, the innermost first; empty when nothing could be asked. */
  readonly stack: readonly string[];
}

/** Frames that are told; deeper ones are the framework's. */
const FRAMES = 12;
/** Reading a stack takes the process some time itself. */
const REST_MS = 10_000;
/** Times the threshold after which a stall is told although it goes on. */
const LONG = 5;

const { beats: buffer, stallMs } = workerData as Watched;
const beats = new Int32Array(buffer);
let seen = Atomics.load(beats, 0);
let since = performance.now();
let askedAt = -Infinity;
let stalled = false;
let told = false;
let stack: readonly string[] = [];

setInterval(() => {
  const now = performance.now();
  const current = Atomics.load(beats, 0);
  if (current !== seen) {
    if (stalled) parentPort?.postMessage({ milliseconds: Math.round(now - since), stack } satisfies WatchdogMessage);
    seen = current;
    since = now;
    stalled = told = false;
    stack = [];
    return;
  }
  if (now - since < stallMs) return;
  if (!stalled && now - askedAt > REST_MS) {
    askedAt = now;
    ask();
  }
  stalled = true;
  if (told || now - since < LONG * stallMs) return;
  told = true;
  const line = { level: 40, time: Date.now(), milliseconds: Math.round(now - since), stack };
  writeSync(2, `${JSON.stringify({ ...line, msg: 'the process stands still; what runs is in the stack' })}\n`);
}, stallMs / 10);

/** Stops the process for a moment to read where it is. */
function ask(): void {
  const session = new Session();
  session.connectToMainThread();
  const files = new Map<string, string>();
  session.on('Debugger.scriptParsed', ({ params }: InspectorNotification<Debugger.ScriptParsedEventDataType>) =>
    files.set(params.scriptId, params.url),
  );
  session.once('Debugger.paused', ({ params }: InspectorNotification<Debugger.PausedEventDataType>) => {
    stack = params.callFrames
      .slice(0, FRAMES)
      .map(
        ({ functionName, location }) =>
          `${functionName || '(anonymous)'} ${files.get(location.scriptId) ?? ''}:${location.lineNumber + 1}`,
      );
    session.post('Debugger.resume', () => session.post('Debugger.disable', () => session.disconnect()));
  });
  session.post('Debugger.enable', () => session.post('Debugger.pause'));
}
