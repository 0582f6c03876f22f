/** Names of what real time and the network are reached by. */
const doors = ['setTimeout', 'setInterval', 'fetch', 'WebSocket'] as const;

/**
 * Takes real timers and the network away from everything that runs from now on: a simulation that reaches for them would not be
 * one. For a process of its own, started with Node's `--permission`, which keeps files and sockets away as well.
 */
export function seal(): void {
  for (const name of doors) {
    Object.defineProperty(globalThis, name, {
      configurable: false,
      get: () => {
        throw new Error(`${name} is real, and nothing in a simulation may be`);
      },
    });
  }
}
