import type { Terminal } from '@xterm/headless';
import type { JSX } from 'preact';
import { visible } from '../format.ts';
import { type Run, runsOf } from './screen.ts';

/**
 * The lines of a terminal as text, with those above its screen. Controls were taken out when they were parsed; characters that turn a line
 * around are shown by their numbers, as everywhere. @param props.drawn changes with every change of the screen
 */
export function Lines(props: {
  readonly screen: Terminal;
  readonly drawn: number;
  readonly isOpen: boolean;
}): JSX.Element {
  const { screen, isOpen } = props;
  const { active: buffer } = screen.buffer;
  const cursor = buffer.baseY + buffer.cursorY;
  const lines = Array.from({ length: buffer.length }, (_, y) =>
    runsOf(buffer, y, isOpen && y === cursor ? buffer.cursorX : undefined),
  );
  return (
    <pre role="log" aria-live="off" aria-label="Screen of the terminal">
      <span class="ruler" aria-hidden="true">
        0123456789
      </span>
      {lines.map((runs, y) => (
        <div key={y}>{runs.length === 0 ? '\n' : runs.map((run, at) => <Piece key={at} run={run} />)}</div>
      ))}
    </pre>
  );
}

function Piece({ run: { text, look, ink, paper } }: { readonly run: Run }): JSX.Element {
  const shown = visible(text);
  if (look === '' && ink === undefined && paper === undefined) return <>{shown}</>;
  return (
    <span
      class={look}
      style={{
        ...(ink === undefined ? {} : { color: ink }),
        ...(paper === undefined ? {} : { backgroundColor: paper }),
      }}
    >
      {shown}
    </span>
  );
}
