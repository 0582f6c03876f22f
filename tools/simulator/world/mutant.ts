/**
 * Plays seeds with one mutation until one of the invariants that may notice it breaks: `mutant.ts NAME FROM TO`. It plays FROM to TO, then
 * the seeds before FROM. Prints one line of JSON.
 */
import { readFileSync, writeSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Mutation, mutations } from './mutations.ts';
import { seal } from './seal.ts';

const [name, from = '1', to = '300'] = process.argv.slice(2);
const named = (wanted: string | undefined): Mutation => {
  const found = mutations.find((one) => one.name === wanted);
  if (found === undefined) throw new Error(`no mutation is called ${wanted}`);
  return found;
};
const mutation = named(name);
const { caughtBy, days, alongside } = mutation;

/** Changed sources, by URL. */
const sources = new Map<string, string>();
for (const { file, find, replace } of alongside === undefined ? [mutation] : [mutation, named(alongside)]) {
  const path = join(import.meta.dirname, '..', '..', '..', file);
  const url = pathToFileURL(path).href;
  const pieces = (sources.get(url) ?? readFileSync(path, 'utf8')).split(find);
  if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} places like: ${find}`);
  sources.set(url, pieces.join(replace));
}
registerHooks({
  load: (loaded, context, next) => {
    const result = next(loaded, context);
    const source = sources.get(loaded);
    return source === undefined ? result : { ...result, source };
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
