import { AwsError } from '@slipway/auth/contract';
import { type TagProblem, tagSentences, TagSet } from '@slipway/auth/kit';

/** An API's own words for what is wrong with tags. */
export interface TagWords {
  /** The code of whatever has none of its own. */
  readonly usual: string;
  readonly codes: Partial<Readonly<Record<TagProblem['kind'], string>>>;
  readonly sentences?: Partial<Readonly<Record<TagProblem['kind'], (key: string) => string>>>;
}

/** Tags as the APIs here take them: at most 50, of letters, digits, spaces and `_.:/=+-@` (ELB and ACM API references, Tag). */
export const tagsOf = ({ usual, codes, sentences }: TagWords): TagSet =>
  new TagSet({
    most: 50,
    characters: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u,
    refuse: ({ kind, key }) => new AwsError(codes[kind] ?? usual, (sentences?.[kind] ?? tagSentences[kind])(key)),
  });
