import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ecs } from './aws.ts';
import { around, difference, linesOf } from './difference.ts';
import { lastOf, visible } from './format.ts';
import { useLive } from './live.ts';
import { Button, Loading, Refusal } from './parts.tsx';

/** A button that shows what one revision of a task definition runs differently from another. */
export function RevisionDifference({ from, to }: { readonly from: string; readonly to: string }): JSX.Element {
  const [shown, setShown] = useState(false);
  return (
    <>
      <div>
        <Button kind="quiet" pressed={shown} onClick={() => setShown(!shown)}>
          What changed since {visible(lastOf(from))}
        </Button>
      </div>
      {shown ? <Lines from={from} to={to} /> : null}
    </>
  );
}

/** Revisions never change, so that they are read once an hour at most. */
const seldom = 3_600_000;

function Lines({ from, to }: { readonly from: string; readonly to: string }): JSX.Element {
  const { data, error } = useLive(
    `difference ${from} ${to}`,
    async (signal) => {
      const [old, now] = await Promise.all(
        [from, to].map(async (taskDefinition) => {
          const answer = await ecs('DescribeTaskDefinition', { taskDefinition }, { signal });
          return linesOf(answer.taskDefinition);
        }),
      );
      return around(difference(old ?? [], now ?? []));
    },
    seldom,
  );
  if (error !== undefined) return <Refusal error={error} />;
  if (data === undefined) return <Loading what="both revisions" />;
  if (data.every((line) => line === undefined)) return <p class="faint">Both run the same.</p>;
  return (
    <div class="difference" tabIndex={0} role="group" aria-label="What changed">
      {data.map((line, at) =>
        line === undefined ? (
          <span key={at} class="left-out">
            …
          </span>
        ) : line.kind === 'same' ? (
          <span key={at}>{visible(line.text)}</span>
        ) : line.kind === 'old' ? (
          <del key={at}>{visible(line.text)}</del>
        ) : (
          <ins key={at}>{visible(line.text)}</ins>
        ),
      )}
    </div>
  );
}
