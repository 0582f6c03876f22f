import { ImagesError } from './errors.ts';

const maxDepth = 64;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes and parses JSON of which two readers can never see two different things: valid UTF-8 without a byte-order mark,
 * no member twice, no `__proto__`, at most 64 levels deep. Linear in its length.
 * @throws ImagesError `ManifestInvalid`
 */
export function parseStrictJson(bytes: Uint8Array): { readonly text: string; readonly value: unknown } {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new ImagesError('ManifestInvalid', 'The manifest is not valid UTF-8.');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new ImagesError('ManifestInvalid', 'The manifest is not valid JSON.');
  }
  refuseAmbiguity(text);
  return { text, value };
}

/** Walks the tokens of a text that is known to be JSON. */
function refuseAmbiguity(text: string): void {
  const token = /"((?:[^"\\]|\\.)*)"(\s*:)?|[{}[\]]/gs;
  const open: (Set<string> | undefined)[] = [];
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    switch (match[0]) {
      case '{':
      case '[':
        open.push(match[0] === '{' ? new Set() : undefined);
        if (open.length > maxDepth)
          throw new ImagesError('ManifestInvalid', `The manifest is nested more than ${maxDepth} levels deep.`);
        break;
      case '}':
      case ']':
        open.pop();
        break;
      default:
        if (match[2] !== undefined) remember(open.at(-1), match[1] as string);
    }
  }
}

function remember(seen: Set<string> | undefined, raw: string): void {
  const name = raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
  if (name === '__proto__') throw new ImagesError('ManifestInvalid', 'The manifest has a member named __proto__.');
  if (seen?.has(name))
    throw new ImagesError('ManifestInvalid', `The manifest has the member "${name.slice(0, 100)}" twice.`);
  seen?.add(name);
}
