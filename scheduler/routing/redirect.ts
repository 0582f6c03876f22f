import type { Redirect } from './desired-state.ts';

/** What the keywords of a redirect stand for. */
export interface RedirectParts {
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: string;
  /** With its leading slash. */
  readonly path: string;
  readonly query: string;
}

/** Longest `Location` that a redirect answers with, in bytes; a longer one is answered 507. */
export const longestLocation = 8192;

/** A piece of a redirect's member: text as it stands, or a keyword. */
export type RedirectPiece = { readonly text: string } | { readonly keyword: keyof RedirectParts };

/** Splits a member at its keywords. */
export function redirectPieces(member: string): readonly RedirectPiece[] {
  return member.split(/(#\{(?:protocol|host|port|path|query)\})/).flatMap((piece): RedirectPiece[] => {
    if (piece === '') return [];
    const keyword = /^#\{(protocol|host|port|path|query)\}$/.exec(piece)?.[1];
    return [keyword === undefined ? { text: piece } : { keyword: keyword as keyof RedirectParts }];
  });
}

/** The port is left out of `Location` where it is what the scheme has anyway. */
export function isDefaultPort(protocol: string, port: string): boolean {
  return (protocol === 'http' && port === '80') || (protocol === 'https' && port === '443');
}

/** Where a redirect leads. */
export function locationOf(action: Redirect, parts: RedirectParts): string {
  const fill = (member: string): string =>
    redirectPieces(member)
      .map((piece) =>
        'text' in piece ? piece.text : piece.keyword === 'path' ? parts.path.slice(1) : parts[piece.keyword],
      )
      .join('');
  const protocol = fill(action.protocol).toLowerCase();
  const port = fill(action.port);
  const query = fill(action.query);
  return [
    `${protocol}://${fill(action.host)}`,
    isDefaultPort(protocol, port) ? '' : `:${port}`,
    fill(action.path),
    query === '' ? '' : `?${query}`,
  ].join('');
}
