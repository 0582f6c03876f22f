import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { JSX } from 'preact';
import { forgetAnswers } from './live.ts';
import { Said } from './said.tsx';
import { currentSession, followSession, resume, watchSession } from './session.ts';
import { Shell } from './shell.tsx';
import { SignInPage } from './sign-in.tsx';

function App(): JSX.Element {
  const [state, setState] = useState(currentSession);
  useEffect(() => {
    // It may have been decided before anybody listened.
    setState(currentSession());
    return watchSession((next) => {
      forgetAnswers();
      setState(next);
    });
  }, []);
  return (
    <>
      {state.kind === 'in' ? (
        // Whoever is somebody else now sees nothing, and has no buttons, of whoever was before.
        <Shell key={state.session.arn} session={state.session} />
      ) : state.kind === 'out' ? (
        <SignInPage notice={state.notice} />
      ) : (
        <main class="quiet" aria-busy="true" />
      )}
      <Said />
    </>
  );
}

render(<App />, document.getElementById('app') as HTMLElement);
followSession();
resume().catch(() => undefined);
