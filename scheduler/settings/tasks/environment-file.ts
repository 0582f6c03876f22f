/**
 * The variables of a file, as amazon-ecs-agent reads it: a line is a name, `=`, and a value with its spaces and quotes as they are. Lines that
 * begin with `#`, that have no `=`, or no name before it, say nothing. Of a name that comes twice the last value counts.
 */
export function variablesOf(text: string): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const line of text.split(/\r?\n/)) {
    const at = line.indexOf('=');
    if (at > 0 && !line.startsWith('#')) variables.set(line.slice(0, at), line.slice(at + 1));
  }
  return variables;
}
