import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/**
 * A server with a mistake: it counts every target as out of rotation at once, whatever engines say. Loaded by `--import`, so that a test
 * sees whether it would notice.
 */
const find = 'if (engines.length > 0 && isQuiet) return true;';
registerHooks({
  load: (url, context, next) => {
    const result = next(url, context);
    if (!url.endsWith('/scheduler/balancing/traffic/keeper.ts')) return result;
    const pieces = readFileSync(new URL(url), 'utf8').split(find);
    if (pieces.length !== 2) throw new Error(`keeper.ts has ${pieces.length - 1} places like: ${find}`);
    return { ...result, source: pieces.join('if (version >= 0) return true;') };
  },
});
