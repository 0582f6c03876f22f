import { parentPort, workerData } from 'node:worker_threads';
import { takeInventory } from './inventory.ts';
import { type InventoryLimits, Unscannable } from './limits.ts';
import type { FromWorker, ToWorker } from './take-inventory.ts';

const { layers, limits } = workerData as { readonly layers: number; readonly limits: InventoryLimits };
const port = parentPort;
if (port === null) throw new Error('this file is the body of a worker thread');
const send = (message: FromWorker): void => port.postMessage(message);

/** Chunks that came and were not read yet; the other side sends no further ones than were asked for. */
const arrived: ToWorker[] = [];
let wake: () => void = () => {};
port.on('message', (message: ToWorker) => {
  arrived.push(message);
  wake();
});

let ended = true;

/** The next chunk of the layer, or undefined at its end. */
async function next(): Promise<Uint8Array | undefined> {
  while (arrived.length === 0) await new Promise<void>((resolve) => void (wake = resolve));
  const message = arrived.shift() as ToWorker;
  if (message.kind === 'end') {
    ended = true;
    return undefined;
  }
  send({ kind: 'more' });
  return message.bytes;
}

async function* layer(): AsyncGenerator<Uint8Array> {
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) yield chunk;
}

async function* all(): AsyncGenerator<() => AsyncIterable<Uint8Array>> {
  for (let position = 0; position < layers; position++) {
    ended = false;
    send({ kind: 'layer', position });
    yield layer;
    // What comes behind the end of a compressed stream belongs to nobody, least of all to the next layer.
    while (!ended) await next();
  }
}

try {
  send({ kind: 'done', inventory: await takeInventory(all(), limits) });
} catch (error) {
  send({
    kind: 'failed',
    unscannable: error instanceof Unscannable,
    message: error instanceof Error ? error.message : String(error),
  });
}
port.close();
