import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { iam } from './aws.ts';
import { Dialog } from './dialog.tsx';
import { useMay } from './live.ts';
import { Button } from './parts.tsx';
import { holderLink } from './policy-page.tsx';
import { link } from './route.ts';

/** Asks for a name and makes a user of it, for whoever may. */
export function CreateUser(): JSX.Element | null {
  const may = useMay('make user', () => iam.may('CreateUser', { UserName: 'user' }));
  const [asking, setAsking] = useState(false);
  const [name, setName] = useState('');
  if (!may) return null;
  return (
    <>
      <Button onClick={() => setAsking(true)}>Create a user</Button>
      {asking ? (
        <Dialog
          title="Create a user?"
          yes="Create"
          done="The user is there."
          act={async () => {
            const { User } = await iam('CreateUser', { UserName: name.trim() });
            location.hash = holderLink({ kind: 'User', name: User?.UserName ?? '' });
          }}
          close={() => setAsking(false)}
        >
          <label>
            <span>Name</span>
            <input
              required
              maxLength={64}
              autocomplete="off"
              value={name}
              onInput={({ currentTarget: { value } }) => setName(value)}
            />
          </label>
          <p>It may do nothing until it has a policy, and signs in nowhere until it has an access key.</p>
        </Dialog>
      ) : null}
    </>
  );
}

/** Deletes a user, for whoever may; the server refuses it while there is something that belongs to it. */
export function DeleteUser({ name }: { readonly name: string }): JSX.Element | null {
  const may = useMay(`delete user ${name}`, () => iam.may('DeleteUser', { UserName: name }));
  const [asking, setAsking] = useState(false);
  if (!may) return null;
  return (
    <>
      <Button kind="quiet" onClick={() => setAsking(true)}>
        Delete the user
      </Button>
      {asking ? (
        <Dialog
          title={`Delete the user ${name}?`}
          yes="Delete"
          kind="danger"
          done="The user is gone."
          act={async () => {
            await iam('DeleteUser', { UserName: name });
            location.hash = link('identity');
          }}
          close={() => setAsking(false)}
        >
          <p>Its access keys and policies are to be taken away first. It does not come back.</p>
        </Dialog>
      ) : null}
    </>
  );
}
