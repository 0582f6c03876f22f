/**
 * Plays seeds with one mutation until one of the invariants that may notice it breaks: `mutant.ts NAME FROM TO`. It plays FROM to TO, then
 * the seeds before FROM. Prints one line of JSON.
 */
import { readFileSync, writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { mutations } from './mutations.ts';
import { seal } from './seal.ts';

const [name, from = '1', to = '300'] = process.argv.slice(2);
const mutation = mutations.find((one) => one.name === name);
if (mutation === undefined) throw new Error(`no mutation is called ${name}`);
const { file, find, replace, caughtBy, days } = mutation;

const path = join(import.meta.dirname, '..', '..', '..', file);
const pieces = readFileSync(path, 'utf8').split(find);
if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} places like: ${find}`);
const url = pathToFileURL(path).href;
registerHooks({
  load: (loaded, context, next) => {
    const result = next(loaded, context);
    return loaded === url ? { ...result, source: pieces.join(replace) } : result;
  },
});

// Only now: what was imported before would be whole.
const { drawPlan } = await import('./plan.ts');
const { World } = await import('./world.ts');
seal();
Error.stackTraceLimit = 0;

let caught: object | undefined;
const [first, last] = [Number(from), Number(to)];
for (let count = 0; count < last && caught === undefined; count++) {
  const seed = ((first - 1 + count) % last) + 1;
  const { violation } = await new World(drawPlan(seed, days), false).play();
  if (violation !== undefined && caughtBy.includes(violation.invariant)) caught = { seed, ...violation };
}
writeSync(1, `${JSON.stringify({ name, caught })}\n`);
process.exit(0);
