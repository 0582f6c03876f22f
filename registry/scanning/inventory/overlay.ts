/**
 * What is left of facts about files when layers lie on each other (OCI image specification, "Layer Filesystem Changeset").
 * Only paths that matter to the inventory are kept, so this stays small whatever the image holds.
 */
export class Overlay<Fact> {
  readonly #kept = new Map<string, Fact>();
  /** Every folder above a kept path, and the root. */
  readonly #folders = new Set<string>();

  /** Begins the next layer. */
  layer(): LayerFacts<Fact> {
    return new LayerFacts((path) => path === '' || this.#kept.has(path) || this.#folders.has(path));
  }

  /** Lays a layer over what is there: first what it hides, then what it brings. */
  apply(layer: LayerFacts<Fact>): void {
    if (layer.hidesAny()) {
      for (const path of this.#kept.keys()) if (layer.hides(path)) this.#kept.delete(path);
    }
    for (const [path, fact] of layer.brought) {
      this.#kept.set(path, fact);
      for (const folder of foldersOf(path)) this.#folders.add(folder);
    }
  }

  facts(): ReadonlyMap<string, Fact> {
    return this.#kept;
  }
}

/** What one layer does to the paths that matter. */
export class LayerFacts<Fact> {
  readonly brought = new Map<string, Fact>();
  readonly #matters: (path: string) => boolean;
  readonly #hidden = new Set<string>();
  readonly #emptied = new Set<string>();

  constructor(matters: (path: string) => boolean) {
    this.#matters = matters;
  }

  /** Notes a whiteout; says whether the path was one. */
  whiteout(path: string): boolean {
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (!name.startsWith('.wh.')) return false;
    const folder = path.slice(0, Math.max(0, slash));
    const gone = folder === '' ? name.slice(4) : `${folder}/${name.slice(4)}`;
    if (name === '.wh..wh..opq') {
      if (this.#matters(folder)) this.#emptied.add(folder);
    } else if (!name.startsWith('.wh..wh.') && this.#matters(gone)) this.#hidden.add(gone);
    return true;
  }

  /** A file, link or device takes the place of whatever was there, directories included. */
  replace(path: string): void {
    if (this.#matters(path)) this.#hidden.add(path);
    this.brought.delete(path);
  }

  hidesAny(): boolean {
    return this.#hidden.size + this.#emptied.size > 0;
  }

  /** Whether something below this layer at `path` can no longer be seen. */
  hides(path: string): boolean {
    if (this.#hidden.has(path) || this.#emptied.has('')) return true;
    return foldersOf(path).some((folder) => this.#hidden.has(folder) || this.#emptied.has(folder));
  }
}

function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let slash = path.indexOf('/'); slash > 0; slash = path.indexOf('/', slash + 1))
    folders.push(path.slice(0, slash));
  return folders;
}

/** A path as the overlay compares it: no leading `/` or `./`, no empty parts. Undefined for one that leads out of the image. */
export function normalPath(path: string): string | undefined {
  if (!/^\/|^\.|\/\/|\/\.|\/$/.test(path)) return path;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? undefined : parts.join('/');
}
