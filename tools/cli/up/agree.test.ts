import { expect, test } from 'vitest';
import { agree } from './agree.ts';

test('where nobody can be asked, a change needs the options that the command has', async () => {
  const asked = agree({ question: 'Remove them?', instead: '--yes', nothing: 'nothing was removed' }, 'json');
  await expect(asked).rejects.toMatchObject({ exitCode: 2, message: expect.stringMatching(/say --yes$/) });
});
