import { DataSet } from '../data-set.ts';
import { types } from '../media-types.ts';
import type { Check } from '../check.ts';
import type { Answer } from '../exchange.ts';
import type { Suite } from '../suite.ts';
import { tagsOf, tagsPath } from '../tag-list.ts';
import { type FurtherCase, withContent } from './case.ts';

const names = ['further-B', 'further-a', 'further-D', 'further-c', 'further-e'];

/** Lets a check look at a repository that has these tags, whatever others it has. */
const tagged =
  (look: (suite: Suite, check: Check, repository: string) => Promise<unknown>): FurtherCase['check'] =>
  async (suite, check, repository) => {
    const set = new DataSet();
    const { digest } = set.addImage({ payload: { kind: 'artifact', layerType: types.bytes } });
    for (const name of names) set.tags.set(name, digest);
    await withContent(suite, check, repository, set, () => look(suite, check, repository));
  };

/** Where the next page is (RFC 8288); undefined when there is no more, or the header is not understood. */
function nextPage({ headers, url }: Answer): URL | undefined {
  const [, target] = /<([^<>]*)>[^<>]*;\s*rel="?next"?(?:[\s;,]|$)/i.exec((headers['link'] ?? []).join(', ')) ?? [];
  return target !== undefined && URL.canParse(target, url) ? new URL(target, url) : undefined;
}

export const tagCases: readonly FurtherCase[] = [
  {
    name: 'tags are listed in order, under the name of the repository',
    check: tagged(async (suite, check, repository) => {
      const answer = await suite.ask('GET', tagsPath(repository));
      const tags = tagsOf(check, answer) ?? [];
      const folded = tags.map((tag) => tag.toLowerCase());
      const ordered = (list: readonly string[]): boolean => list.join('\n') === list.toSorted().join('\n');
      if (!ordered(tags) && !ordered(folded))
        check.fail(`${answer.what}: the tags are not in order: ${tags.join(' ')}`);
      const name = check.object(answer)?.['name'];
      if (name !== repository) check.fail(`${answer.what}: 'name' is '${String(name)}'`);
    }),
  },
  {
    name: 'n=0 lists nothing, without a Link',
    check: tagged(async (suite, check, repository) => {
      const answer = await suite.ask('GET', tagsPath(repository, '?n=0'));
      if (!check.status(answer, 200)) return;
      const count = tagsOf(check, answer)?.length ?? 0;
      if (count > 0) check.fail(`${answer.what}: lists ${count} tags`);
      if (answer.headers['link'] !== undefined) check.fail(`${answer.what}: there is a Link`);
    }),
  },
  {
    name: 'pages of two have every tag once',
    check: tagged(async (suite, check, repository) => {
      const whole = tagsOf(check, await suite.ask('GET', tagsPath(repository))) ?? [];
      const seen: string[] = [];
      let at: string | URL | undefined = tagsPath(repository, '?n=2');
      while (at !== undefined && seen.length <= whole.length) {
        const answer: Answer = await suite.ask('GET', at);
        const page = tagsOf(check, answer);
        if (page === undefined) return;
        if (page.length > 2) check.fail(`${answer.what}: lists ${page.length} tags`);
        seen.push(...page);
        const last = page.at(-1);
        at = nextPage(answer);
        // Without a Link, a full page is not the end: the list goes on after the last tag.
        if (at === undefined && page.length === 2 && last !== undefined)
          at = tagsPath(repository, `?n=2&last=${encodeURIComponent(last)}`);
      }
      if (seen.join('\n') !== whole.join('\n'))
        check.fail(`the pages have ${seen.join(' ')}, but the list is ${whole.join(' ')}`);
    }),
  },
];
