import type { JSX } from 'preact';
import { Button, Plain } from './parts.tsx';

/** What is told this once, a secret among it; the page forgets it when it is left. @param facts what is told, by its name */
export function ShownOnce(props: {
  readonly label: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly close: () => void;
}): JSX.Element {
  const { label, facts, close } = props;
  return (
    <section class="panel" aria-label={label} role="status">
      <div class="body">
        <p class="strong">Keep the secret now: it is shown this once.</p>
        <dl class="facts small">
          {Object.entries(facts).map(([name, text]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd class="wrap">
                <code>
                  <Plain text={text} />
                </code>
              </dd>
            </div>
          ))}
        </dl>
        <div class="actions">
          <Button kind="primary" onClick={close}>
            I have kept it
          </Button>
        </div>
      </div>
    </section>
  );
}
