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

// Every mutation has modules of its own, told apart by what their addresses end with: those that it changes, and those that import one
// of its own. All others are shared by all, with what the machine has learnt of them: to load the whole takes longer than to play a
// seed, as does to take the types out of our own, which is done once.
let planted = 0;
let sources: ReadonlyMap<string, string> = new Map();
let affected: ReadonlySet<string> = new Set();
const whole = new Map<string, string>();
/** Which modules of our own import a module of our own, by URL. */
const importers = new Map<string, Set<string>>();

const bare = (url: string): string => url.replace(/\?planted=\d+$/, '');
const isOwn = (url: string): boolean => url.startsWith(own) && !url.includes('/node_modules/') && url.endsWith('.ts');

registerHooks({
  resolve: (specifier, context, next) => {
    const found = next(specifier, context);
    if (!isOwn(found.url)) return found;
    const parent = context.parentURL ?? '';
    // What nobody imported when the whole was loaded belongs to whoever imports it now.
    const isNew = !importers.has(found.url) && parent !== bare(parent);
    const known = importers.get(found.url) ?? new Set();
    importers.set(found.url, known.add(bare(parent)));
    return isNew || affected.has(found.url) ? { ...found, url: `${found.url}?planted=${planted}` } : found;
  },
  load: (loaded, context, next) => {
    const url = bare(loaded);
    if (!isOwn(url)) return next(loaded, context);
    const changedSource = url === loaded ? undefined : sources.get(url);
    if (changedSource !== undefined)
      return { format: 'module', shortCircuit: true, source: stripTypeScriptTypes(changedSource) };
    let stripped = whole.get(url);
    if (stripped === undefined)
      whole.set(url, (stripped = stripTypeScriptTypes(readFileSync(fileURLToPath(url), 'utf8'))));
    return { format: 'module', shortCircuit: true, source: stripped };
  },
});

/** Modules that import one of these, or one that does, and these. @throws Error when a simulation does not load one of these */
function reaching(changedOnes: Iterable<string>): ReadonlySet<string> {
  const found = new Set<string>();
  for (const url of changedOnes) {
    if (!importers.has(url)) throw new Error(`no simulation loads ${url}`);
    found.add(url);
  }
  for (const url of found) for (const importer of importers.get(url) ?? []) if (isOwn(importer)) found.add(importer);
  return found;
}

seal();
Error.stackTraceLimit = 0;
// Who imports what.
await import('./world.ts');

for (const mutation of names.map(named)) {
  const { name, from = 1, days, caughtBy } = mutation;
  planted += 1;
  sources = changed(mutation);
  affected = reaching(sources.keys());
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
