import { describe, expect, it } from 'vitest';
import type { HttpListener } from '../../../routing/index.ts';
import { listenerOf, plainAttributes } from '../../../routing/testing/generate.ts';
import { anyTls, certificateFor } from '../testing/certificates.ts';
import { groupOf } from '../testing/targets.ts';
import { configure } from './configure.ts';

const forward = (...ids: readonly string[]) =>
  ({ kind: 'forward', targetGroups: ids.map((id) => ({ id, weight: 1 })) }) as const;

/** The lines of the frontend of a listener with this default action. */
function linesFor(defaultAction: ReturnType<typeof forward>, given: Partial<HttpListener> = {}): readonly string[] {
  const state = {
    generation: 1,
    cookieKey: '0'.repeat(64),
    certificates: given.tls === undefined ? [] : [certificateFor('c', 'a.example.com')],
    listeners: [listenerOf({ defaultAction, ...given })],
    targetGroups: [groupOf('g', []), groupOf('h', [])],
  };
  const { text } = configure(state, { folder: '/run/engine', hardStopAfter: 30 });
  return text
    .slice(text.indexOf('\nfrontend '), text.indexOf('default_backend'))
    .split('\n')
    .map((line) => line.trim());
}

describe('what a request meets that nothing is asked for', () => {
  const isForOthers = (line: string): boolean => /(?:if !|unless )\{ var\(txn\.plain\) -m found \}/.test(line);
  const passes = 'http-request allow if { var(txn.plain) -m found }';

  it.each([{ groups: ['g'] }, { groups: ['g', 'h'] }])('looks at headers once: $groups', ({ groups }) => {
    const lines = linesFor(forward(...groups));
    const known = lines.findIndex((line) => line.startsWith('http-request set-var(txn.plain) '));
    const passed = lines.indexOf(passes);
    expect(known).toBeGreaterThan(0);
    expect(passed).toBeGreaterThan(known);
    const before = lines.slice(0, known).filter((line) => line.includes('req.hdr'));
    const unguarded = lines
      .slice(known + 1, passed)
      .filter((line) => /req\.f?hdr|req\.cook|-m reg /.test(line))
      .filter((line) => !isForOthers(line));
    expect([...before, ...unguarded]).toEqual([]);
  });

  it('meets none of the rules that are for others where there is one group', () => {
    const lines = linesFor(forward('g'));
    const passed = lines.indexOf(passes);
    expect(lines.slice(0, passed).filter(isForOthers)).toEqual([]);
    expect(lines.slice(passed).filter(isForOthers)).not.toEqual([]);
  });

  it('looks nothing up where there is one group, and its share where there are several', () => {
    const looksUp = (line: string): boolean => line.includes('map_str');
    expect(linesFor(forward('g')).filter(looksUp)).toEqual([]);
    expect(linesFor(forward('g', 'h')).filter(looksUp)).not.toEqual([]);
  });

  it('knows the host as rules ask for it, and that there is one where a client may name several', () => {
    const rule = {
      id: 'r',
      conditions: [{ kind: 'host-header' as const, values: ['a.example.com'], regexValues: [] }],
      action: forward('g'),
    };
    const hostOf = (preserveHostHeader: boolean): string[] =>
      linesFor(forward('h'), { rules: [rule], attributes: { ...plainAttributes, preserveHostHeader } }).filter((line) =>
        /set-var\(txn\.host\) .* if /.test(line),
      );
    expect([hostOf(false), hostOf(true)].map(([line = '']) => line.includes('host_only'))).toEqual([false, true]);
    const tls = { certificates: ['c'], ...anyTls };
    const countsHosts = (given: Partial<HttpListener>): boolean =>
      linesFor(forward('g'), given).some((line) => /set-var\(txn\.plain\).*fhdr_cnt\(host\)/.test(line));
    expect([countsHosts({}), countsHosts({ protocol: 'HTTPS', tls })]).toEqual([false, true]);
  });
});
