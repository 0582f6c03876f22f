import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { AwsError } from '../aws.ts';
import { lastOf, visible } from '../format.ts';
import { Button, Panel, Refusal } from '../parts.tsx';
import { Connection, type Target } from './connection.ts';
import { pasted, sequenceOf } from './keys.ts';
import { openScreen, Writer } from './screen.ts';
import { Lines } from './lines.tsx';

/** Columns and rows of a terminal that has no size yet. */
const usual = { columns: 80, rows: 24 } as const;

const toBytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** A shell in a container, with the caller's rights. */
export default function TerminalPanel(props: { readonly target: Target; readonly close: () => void }): JSX.Element {
  const { target, close } = props;
  const screen = useRef(openScreen(usual.columns, usual.rows));
  const connection = useRef<Connection | undefined>(undefined);
  const box = useRef<HTMLDivElement>(null);
  const input = useRef<HTMLTextAreaElement>(null);
  const leave = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState(0);
  const [state, setState] = useState<'opening' | 'open' | 'over'>('opening');
  const [said, setSaid] = useState('');
  const [error, setError] = useState<AwsError>();

  useEffect(() => {
    const terminal = screen.current;
    let frame = 0;
    let gone = false;
    const draw = (): void => {
      cancelAnimationFrame(frame);
      frame = requestAnimationFrame(() => setDrawn((count) => count + 1));
    };
    const writer = new Writer(terminal);
    const write = (bytes: Uint8Array): void =>
      writer.write(bytes, () => {
        draw();
        connection.current?.resume();
      });
    const ready = (): void => {
      setState('open');
      connection.current?.resize(terminal.cols, terminal.rows);
      input.current?.focus();
    };
    const ended = (why: string, code: number | undefined): void => {
      setState('over');
      setSaid(code === undefined ? why : `It ended with exit code ${code}.`);
    };
    const start = async (): Promise<void> => {
      try {
        const opened = await Connection.open(target, { output: write, hasRoom: () => writer.hasRoom, ready, ended });
        connection.current = opened;
        if (gone) opened.close();
      } catch (thrown) {
        setState('over');
        setError(thrown as AwsError);
      }
    };
    start().catch(() => undefined);
    // What programs ask the terminal for is answered as what is typed.
    const answers = terminal.onData((text) => connection.current?.write(toBytes(text)));
    const fit = new ResizeObserver(() => {
      const size = sizeOf(box.current);
      if (size === undefined || (size.columns === terminal.cols && size.rows === terminal.rows)) return;
      terminal.resize(size.columns, size.rows);
      connection.current?.resize(size.columns, size.rows);
      draw();
    });
    if (box.current !== null) fit.observe(box.current);
    return () => {
      gone = true;
      fit.disconnect();
      cancelAnimationFrame(frame);
      answers.dispose();
      connection.current?.close();
      terminal.dispose();
    };
  }, []);

  useEffect(() => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [drawn]);

  const type = (text: string): void => {
    if (state === 'open') connection.current?.write(toBytes(text));
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    if (event.ctrlKey && event.key === ']') {
      event.preventDefault();
      leave.current?.querySelector('button')?.focus();
      return;
    }
    const sequence = sequenceOf(event, screen.current.modes.applicationCursorKeysMode);
    if (sequence === undefined || state !== 'open') return;
    event.preventDefault();
    type(sequence);
  };
  const task = lastOf(target.task).slice(0, 12);
  return (
    <Panel
      title={`Terminal in ${visible(target.container)}, task ${task}`}
      flush
      aside={
        <div ref={leave} class="actions">
          <Button onClick={close} {...(state === 'over' ? {} : { kind: 'danger' as const })}>
            {state === 'over' ? 'Close' : 'End the session'}
          </Button>
        </div>
      }
    >
      {error === undefined ? null : <Refusal error={error} />}
      <div class="terminal" ref={box} onClick={() => input.current?.focus()}>
        <Lines screen={screen.current} drawn={drawn} isOpen={state === 'open'} />
        <textarea
          ref={input}
          rows={1}
          aria-label={`Input of the terminal in ${visible(target.container)}`}
          aria-describedby="terminal-help"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          onKeyDown={pressed}
          onPaste={(event) => {
            event.preventDefault();
            const text = event.clipboardData?.getData('text/plain') ?? '';
            type(pasted(text, screen.current.modes.bracketedPasteMode));
          }}
          onInput={(event) => {
            const { currentTarget } = event;
            if ((event as InputEvent).isComposing) return;
            type(currentTarget.value);
            currentTarget.value = '';
          }}
          onCompositionEnd={({ currentTarget }) => {
            type(currentTarget.value);
            currentTarget.value = '';
          }}
        />
      </div>
      <p class="body faint" id="terminal-help" role="status">
        {state === 'opening' ? 'The session is being opened…' : visible(said)} Ctrl+] leaves the terminal.
      </p>
    </Panel>
  );
}

/** How many characters a box has room for; undefined before it is laid out. */
function sizeOf(box: HTMLDivElement | null): { readonly columns: number; readonly rows: number } | undefined {
  const one = box?.querySelector('.ruler')?.getBoundingClientRect();
  if (box === null || one === undefined || one.width === 0 || one.height === 0) return undefined;
  const { paddingLeft, paddingTop } = getComputedStyle(box);
  const columns = Math.floor((box.clientWidth - 2 * Number.parseFloat(paddingLeft)) / (one.width / 10));
  const rows = Math.floor((box.clientHeight - 2 * Number.parseFloat(paddingTop)) / one.height);
  return { columns: Math.min(500, Math.max(20, columns)), rows: Math.min(200, Math.max(5, rows)) };
}
