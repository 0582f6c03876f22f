import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';

let hear: (text: string) => void = () => undefined;

/** Tells what was done, also to whoever listens instead of looking. */
export const say = (text: string): void => hear(text);

/** Where {@link say} is heard: a line at the bottom that goes after some seconds. */
export function Said(): JSX.Element {
  const [text, setText] = useState('');
  useEffect(() => {
    hear = setText;
    return () => {
      hear = () => undefined;
    };
  }, []);
  useEffect(() => {
    if (text === '') return undefined;
    const timer = setTimeout(() => setText(''), 6000);
    return () => clearTimeout(timer);
  }, [text]);
  return (
    <div class={text === '' ? 'said' : 'said shown'} role="status">
      {text}
    </div>
  );
}
