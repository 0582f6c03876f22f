import type { PolicyDocument } from './document.ts';
import { MalformedPolicy } from './errors.ts';
import { placeOf } from './json.ts';
import { textGlob } from './pattern.ts';

/** What a trust policy can allow or deny (IAM user guide, "Creating a role": the actions of AWS STS about a role). */
const trustActions = [
  'assumerole',
  'assumerolewithsaml',
  'assumerolewithwebidentity',
  'assumeroot',
  'setcontext',
  'setsourceidentity',
  'tagsession',
];

/**
 * Refuses a trust policy about anything but taking the role on, as IAM does when it is put: it would look like a permission and be none.
 * Documents are checked when they come in, not when they are read again, so that an older one goes on counting.
 * @throws MalformedPolicy in IAM's words
 */
export function checkTrustActions({ statements, text }: PolicyDocument): void {
  for (const { action, start, index } of statements) {
    if (!action.negated && action.entries.every(isAboutRoles)) continue;
    throw new MalformedPolicy('AssumeRole policy may only specify STS AssumeRole actions.', {
      path: `Statement[${index}].${action.negated ? 'NotAction' : 'Action'}`,
      ...placeOf(text, start),
    });
  }
}

/** Whether an entry such as `sts:AssumeRole*` names at least one of them and no other service's. */
function isAboutRoles(entry: string): boolean {
  const [vendor = '', name] = entry.toLowerCase().split(':');
  if (vendor !== 'sts' || name === undefined) return false;
  const matches = textGlob(name);
  return trustActions.some((each) => matches(each));
}
