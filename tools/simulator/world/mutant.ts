/**
 * Plays seeds with one mutation after the other, each until one of the invariants that may notice it breaks: `mutant.ts TO NAME…`. It
 * begins with the seed from which the mutation is known to be noticed, plays those up to TO, then the ones before. Prints one line of JSON for each.
 */
import { readFileSync, writeSync } from 'node:fs';
import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Mutation, mutations } from './mutations/index.ts';
import { seal } from './seal.ts';

const [to, ...names] = process.argv.slice(2);
const last = Number(to);
const root = join(import.meta.dirname, '..', '..', '..');
const own = pathToFileURL(root).href + '/';

function named(wanted: string): Mutation {
  const found = mutations.find((one) => one.name === wanted);
  if (found === undefined) throw new Error(`no mutation is called ${wanted}`);
  return found;
}

/** Changed sources, by URL. */
function changed(mutation: Mutation): ReadonlyMap<string, string> {
  const sources = new Map<string, string>();
  for (const { file, find, replace } of [
    mutation,
    ...(mutation.alongside === undefined ? [] : [named(mutation.alongside)]),
  ]) {
    const path = join(root, file);
    const url = pathToFileURL(path).href;
    const pieces = (sources.get(url) ?? readFileSync(path, 'utf8')).split(find);
    if (pieces.length !== 2) throw new Error(`${file} has ${pieces.length - 1} places like: ${find}`);
    sources.set(url, pieces.join(replace));
  }
  return sources;
}

// Every mutation has modules of its own, told apart by what their addresses end with. Those of packages are shared by all: to load
// them takes longer than to play a seed, as does to take the types out of our own, which is done once.
let planted = 0;
let sources: ReadonlyMap<string, string> = new Map();
const whole = new Map<string, string>();
registerHooks({
  resolve: (specifier, context, next) => {
    const found = next(specifier, context);
    const isOwn = found.url.startsWith(own) && !found.url.includes('/node_modules/') && found.url.endsWith('.ts');
    return isOwn ? { ...found, url: `${found.url}?planted=${planted}` } : found;
  },
  load: (loaded, context, next) => {
    const url = loaded.replace(/\?planted=\d+$/, '');
    if (url === loaded) return next(loaded, context);
    const source = sources.get(url);
    if (source !== undefined) return { format: 'module', shortCircuit: true, source: stripTypeScriptTypes(source) };
    let stripped = whole.get(url);
    if (stripped === undefined)
      whole.set(url, (stripped = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'))));
    return { format: 'module', shortCircuit: true, source: stripped };
  },
});

seal();
Error.stackTraceLimit = 0;

for (const mutation of names.map(named)) {
  const { name, from = 1, days, caughtBy } = mutation;
  planted += 1;
  sources = changed(mutation);
  // Only now: what was imported before would be whole.
  const { drawPlan } = (await import('./plan.ts')) as typeof import('./plan.ts');
  const { World } = (await import('./world.ts')) as typeof import('./world.ts');
  let caught: object | undefined;
  for (let count = 0; count < last && caught === undefined; count++) {
    const seed = ((from - 1 + count) % last) + 1;
    const { violation } = await new World(drawPlan(seed, days), false).play();
    if (violation !== undefined && caughtBy.includes(violation.invariant)) caught = { seed, ...violation };
  }
  writeSync(1, `${JSON.stringify({ name, from, caught })}\n`);
}
process.exit(0);
