import { Terminal } from '@xterm/headless';

/** A piece of a line that looks the same all along. */
export interface Run {
  readonly text: string;
  /** Names of classes: colours by their numbers, and what is bold. */
  readonly look: string;
  /** A colour that is none of the sixteen, as CSS has it. */
  readonly ink?: string;
  readonly paper?: string;
}

/** Lines above the screen that are kept. */
const scrollback = 1000;
/** Bytes that wait to be parsed from which on no more are taken. */
const mostWaiting = 512 * 1024;

type Buffer = Terminal['buffer']['active'];
type Line = NonNullable<ReturnType<Buffer['getLine']>>;
type Cell = NonNullable<ReturnType<Line['getCell']>>;

/**
 * The state of a terminal. It parses what programs write (xterm.js without its own view, which brings styles that a strict
 * Content-Security-Policy has no room for); the page shows its lines as text.
 */
export function openScreen(columns: number, rows: number): Terminal {
  return new Terminal({ cols: columns, rows, scrollback, allowProposedApi: true });
}

/**
 * Writes to a terminal, which parses as its browser has time: in a tab that is not in sight that is little. A program that writes more has to
 * wait, and holds up neither the page nor its memory.
 */
export class Writer {
  readonly #terminal: Pick<Terminal, 'write'>;
  #waiting = 0;

  constructor(terminal: Pick<Terminal, 'write'>) {
    this.#terminal = terminal;
  }

  get hasRoom(): boolean {
    return this.#waiting < mostWaiting;
  }

  /** @param parsed called once all of it was */
  write(bytes: Uint8Array, parsed: () => void): void {
    this.#waiting += bytes.length;
    this.#terminal.write(bytes, () => {
      this.#waiting -= bytes.length;
      parsed();
    });
  }
}

/** One line of the buffer, the cursor's cell by itself. @param cursor its column where it stands in this line */
export function runsOf(buffer: Buffer, y: number, cursor: number | undefined): readonly Run[] {
  const line = buffer.getLine(y);
  const runs: Run[] = [];
  if (line === undefined) return runs;
  const end = lastOf(line, cursor);
  let reused: Cell | undefined;
  for (let x = 0; x <= end; x++) {
    const cell = (reused = line.getCell(x, reused));
    // The right half of a wide character.
    if (cell === undefined || cell.getWidth() === 0) continue;
    const run = runOf(cell, x === cursor);
    const before = runs.at(-1);
    if (before !== undefined && before.look === run.look && before.ink === run.ink && before.paper === run.paper)
      runs[runs.length - 1] = { ...before, text: before.text + run.text };
    else runs.push(run);
  }
  return runs;
}

/** Up to where a line has something to show. */
function lastOf(line: Line, cursor: number | undefined): number {
  let end = line.length - 1;
  let reused: Cell | undefined;
  for (; end >= 0; end--) {
    const cell = (reused = line.getCell(end, reused));
    if (cell === undefined) continue;
    if (cell.getChars() !== '' || !cell.isBgDefault() || cell.isInverse() !== 0) break;
  }
  return Math.max(end, cursor ?? -1);
}

function runOf(cell: Cell, isCursor: boolean): Run {
  const looks: string[] = [];
  if (isCursor) looks.push('cursor');
  if (cell.isBold() !== 0) looks.push('bold');
  if (cell.isDim() !== 0) looks.push('dim');
  if (cell.isItalic() !== 0) looks.push('italic');
  if (cell.isUnderline() !== 0) looks.push('underline');
  if (cell.isInverse() !== 0) looks.push('inverse');
  const ink = colourOf('f', cell.isFgDefault() ? undefined : cell.getFgColor(), cell.isFgRGB(), looks);
  const paper = colourOf('b', cell.isBgDefault() ? undefined : cell.getBgColor(), cell.isBgRGB(), looks);
  const text = cell.isInvisible() !== 0 || cell.getChars() === '' ? ' ' : cell.getChars();
  return {
    text,
    look: looks.join(' '),
    ...(ink === undefined ? {} : { ink }),
    ...(paper === undefined ? {} : { paper }),
  };
}

/** The sixteen are the page's, so that they can be read in both of its schemes; the others are what they are everywhere. */
function colourOf(kind: 'f' | 'b', colour: number | undefined, isRgb: boolean, looks: string[]): string | undefined {
  if (colour === undefined) return undefined;
  if (isRgb) return `#${colour.toString(16).padStart(6, '0')}`;
  if (colour < 16) {
    looks.push(`${kind}${colour}`);
    return undefined;
  }
  if (colour >= 232) {
    const grey = 8 + (colour - 232) * 10;
    return `rgb(${grey} ${grey} ${grey})`;
  }
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  const cube = colour - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}
