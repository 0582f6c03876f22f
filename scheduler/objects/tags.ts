import { invalidArgument, malformedXml, refusal } from './errors.ts';
import { childrenOf, type Element, textOf, type Written } from './xml.ts';

type Tags = Readonly<Record<string, string>>;

const mostOfObject = 10;
const mostOfBucket = 50;

/** `a=1&b=2`, as headers have tags. @throws InvalidTag, InvalidArgument */
export function tagsOfQuery(text: string): Tags {
  const pairs = [...new URLSearchParams(text)];
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length)
    throw invalidArgument(
      'The header x-amz-tagging shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.',
    );
  return checked(pairs, mostOfObject);
}

/** `<Tagging>`. @throws MalformedXML, InvalidTag */
export function tagsOfXml(root: Element, of: 'object' | 'bucket'): Tags {
  const [set] = childrenOf(root, 'TagSet');
  if (set === undefined) throw malformedXml();
  return tagsOfSet(set, of);
}

/** Every `<Tag>` in an element. @throws MalformedXML, InvalidTag */
export function tagsOfSet(set: Element, of: 'object' | 'bucket'): Tags {
  const pairs = childrenOf(set, 'Tag').map((tag) => {
    const [key, value] = [textOf(tag, 'Key'), textOf(tag, 'Value')];
    if (key === undefined || value === undefined) throw malformedXml();
    return [key, value] as const;
  });
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length)
    throw refusal(400, 'InvalidTag', 'Cannot provide multiple Tags with the same key');
  return checked(pairs, of === 'object' ? mostOfObject : mostOfBucket);
}

function checked(pairs: readonly (readonly [string, string])[], most: number): Tags {
  if (pairs.length > most)
    throw refusal(
      400,
      most === mostOfObject ? 'BadRequest' : 'InvalidTag',
      `${most === mostOfObject ? 'Object' : 'Bucket'} tags cannot be greater than ${most}`,
    );
  const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
  for (const [key, value] of pairs) {
    if (key === '' || key.length > 128 || !allowed.test(key))
      throw refusal(400, 'InvalidTag', 'The TagKey you have provided is invalid');
    if (value.length > 256 || !allowed.test(value))
      throw refusal(400, 'InvalidTag', 'The TagValue you have provided is invalid');
    if (key.startsWith('aws:')) throw refusal(400, 'InvalidTag', 'System tags cannot be added/updated by requester');
  }
  return Object.fromEntries(pairs);
}

/** As `<Tagging>` has them. */
export const writtenTags = (tags: Tags): Written => ({
  TagSet: { Tag: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) },
});
