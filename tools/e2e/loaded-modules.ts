import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** Preloaded into a server (`--import`), writes the address of every module that it loads into the file named in the environment. */
const file = process.env['SLIPWAY_TEST_LOADED_MODULES'] ?? '';
registerHooks({
  load(url, context, nextLoad) {
    appendFileSync(file, `${url}\n`);
    return nextLoad(url, context);
  },
});
