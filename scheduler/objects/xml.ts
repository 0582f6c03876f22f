import { malformedXml } from './errors.ts';

/** An element that was read. Attributes and comments say nothing to us and are passed over. */
export interface Element {
  readonly name: string;
  readonly children: readonly Element[];
  /** Of an element without children. */
  readonly text: string;
}

const mostElements = 60_000;
const mostDepth = 16;

interface Open {
  readonly name: string;
  readonly children: Element[];
  text: string;
}

/**
 * Reads the XML that S3's clients send: elements and texts. There are no declarations of types and no entities but XML's own five, so
 * that nothing can grow.
 * @throws MalformedXML
 */
export function readXml(text: string): Element {
  const token = /<\?[^>]*\?>|<!--[^>]*-->|<(\/?)([A-Za-z_][\w:.-]*)((?:\s[^<>]*)?\/?)>|([^<]+)/gy;
  const open: Open[] = [];
  let root: Element | undefined;
  let count = 0;
  let end = 0;
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    end = token.lastIndex;
    const [, closing, qualified, attributes = '', characters] = match;
    const top = open.at(-1);
    if (characters !== undefined) {
      if (top !== undefined) top.text += characters;
      else if (characters.trim() !== '' && characters.trim() !== '\uFEFF') throw malformedXml();
    } else if (qualified !== undefined) {
      const name = qualified.slice(qualified.indexOf(':') + 1);
      if (closing === '/') {
        if (top?.name !== name || attributes.trim() !== '') throw malformedXml();
        open.pop();
        root = close(top, open) ?? root;
      } else {
        if ((top === undefined && root !== undefined) || ++count > mostElements || open.length >= mostDepth)
          throw malformedXml();
        const element: Open = { name, children: [], text: '' };
        if (attributes.endsWith('/')) root = close(element, open) ?? root;
        else open.push(element);
      }
    }
  }
  if (end !== text.length || open.length > 0 || root === undefined) throw malformedXml();
  return root;
}

/** Puts a whole element where it belongs; gives back the outermost one. */
function close({ name, children, text }: Open, open: readonly Open[]): Element | undefined {
  const element = { name, children, text: children.length > 0 ? '' : unescape(text) };
  const parent = open.at(-1);
  if (parent === undefined) return element;
  parent.children.push(element);
  return undefined;
}

const unescape = (text: string): string =>
  text.replace(/&([^;&\s]{0,10};?)/g, (_, name: string) => {
    const known = entities[name];
    if (known !== undefined) return known;
    const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|(\d{1,7}));$/.exec(name) ?? [];
    const code = hex === undefined ? Number(decimal ?? NaN) : parseInt(hex, 16);
    if (!(code <= 0x10ffff) || (code >= 0xd800 && code <= 0xdfff)) throw malformedXml();
    return String.fromCodePoint(code);
  });

const entities: Readonly<Record<string, string>> = {
  __proto__: null as never,
  'amp;': '&',
  'lt;': '<',
  'gt;': '>',
  'quot;': '"',
  'apos;': "'",
};

/** The text of a child, if there is one. */
export const textOf = ({ children }: Element, name: string): string | undefined =>
  children.find((child) => child.name === name)?.text;

export const childrenOf = ({ children }: Element, name: string): readonly Element[] =>
  children.filter((child) => child.name === name);

/** What is written: names with texts, lists, or further names; undefined members are left out. */
export type Written = string | number | boolean | undefined | readonly Written[] | { readonly [name: string]: Written };

/** A document of S3. A list is an element for each of its entries. */
export function writeXml(root: string, content: Written): string {
  const inner = content === undefined ? '' : contentOf(content);
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner}</${root}>`;
}

/** Errors have no namespace. */
export const writeError = (members: Written): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${contentOf(members ?? '')}</Error>`;

function contentOf(content: NonNullable<Written>): string {
  if (typeof content !== 'object') return escape(String(content));
  if (Array.isArray(content)) return content.map((one) => contentOf(one as NonNullable<Written>)).join('');
  let text = '';
  for (const [name, value] of Object.entries(content as { readonly [name: string]: Written })) {
    for (const one of Array.isArray(value) ? (value as readonly Written[]) : [value])
      if (one !== undefined) text += `<${name}>${contentOf(one)}</${name}>`;
  }
  return text;
}

const escape = (text: string): string =>
  text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
    .replace(/[&<>"\r\n\t]/g, (character) => escapes[character] ?? `&#${character.charCodeAt(0)};`);

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
