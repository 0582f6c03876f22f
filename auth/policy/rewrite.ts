import { type JsonNode, type JsonObject, readJson } from './json.ts';

/**
 * Replaces the `AWS` entries of every Principal and NotPrincipal element, and leaves all other text as it is.
 * @param text a policy whose grammar has been checked
 * @param replace gets each entry, ARN, account or unique id, and answers what shall stand there
 * @throws MalformedPolicy when the text is not JSON
 */
export function rewritePrincipals(text: string, replace: (entry: string) => string): string {
  const spots: { start: number; end: number; entry: string }[] = [];
  const root = readJson(text);
  for (const statement of itemsOf(member(root, 'Statement'))) {
    for (const element of ['Principal', 'NotPrincipal']) {
      for (const node of itemsOf(member(member(statement, element), 'AWS'))) {
        if (node.kind === 'string') spots.push({ start: node.start, end: node.end, entry: node.text });
      }
    }
  }
  let result = '';
  let from = 0;
  for (const { start, end, entry } of spots.toSorted((a, b) => a.start - b.start)) {
    const replaced = replace(entry);
    result += text.slice(from, start) + (replaced === entry ? text.slice(start, end) : JSON.stringify(replaced));
    from = end;
  }
  return result + text.slice(from);
}

function member(node: JsonNode | undefined, key: string): JsonNode | undefined {
  return node?.kind === 'object' ? (node as JsonObject).members.find((each) => each.key === key)?.value : undefined;
}

function itemsOf(node: JsonNode | undefined): readonly JsonNode[] {
  if (node === undefined) return [];
  return node.kind === 'array' ? node.items : [node];
}
