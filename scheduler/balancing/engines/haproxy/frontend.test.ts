import { describe, expect, it } from 'vitest';
import { listenerOf } from '../../../routing/testing/generate.ts';
import { groupOf } from '../testing/targets.ts';
import { configure } from './configure.ts';

const forward = (...ids: readonly string[]) =>
  ({ kind: 'forward', targetGroups: ids.map((id) => ({ id, weight: 1 })) }) as const;

/** The lines of the frontend of a listener with this default action. */
function linesFor(defaultAction: ReturnType<typeof forward>): readonly string[] {
  const state = {
    generation: 1,
    cookieKey: '0'.repeat(64),
    certificates: [],
    listeners: [listenerOf({ defaultAction })],
    targetGroups: [groupOf('g', []), groupOf('h', [])],
  };
  const { text } = configure(state, { folder: '/run/engine', hardStopAfter: 30 });
  return text
    .slice(text.indexOf('\nfrontend '), text.indexOf('default_backend'))
    .split('\n')
    .map((line) => line.trim());
}

describe('what a request meets that nothing is asked for', () => {
  it('looks at headers once, and passes by all rules about them', () => {
    const lines = linesFor(forward('g'));
    const known = lines.findIndex((line) => line.startsWith('http-request set-var(txn.plain) '));
    const passed = lines.indexOf('http-request allow if { var(txn.plain) -m found }');
    expect(known).toBeGreaterThan(0);
    expect(passed).toBeGreaterThan(known);
    const before = lines.slice(0, known).filter((line) => line.includes('req.hdr'));
    const unguarded = lines
      .slice(known + 1, passed)
      .filter((line) => /req\.f?hdr|req\.cook|-m reg /.test(line))
      .filter((line) => !/(?:if !|unless )\{ var\(txn\.plain\) -m found \}/.test(line));
    expect([...before, ...unguarded]).toEqual([]);
  });

  it('looks nothing up where there is one group, and its share where there are several', () => {
    const looksUp = (line: string): boolean => line.includes('map_str');
    expect(linesFor(forward('g')).filter(looksUp)).toEqual([]);
    expect(linesFor(forward('g', 'h')).filter(looksUp)).not.toEqual([]);
  });
});
