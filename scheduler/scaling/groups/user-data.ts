/** As the agent reads them: what is longer is no setting. */
const longest = 8192;
const most = 100;

/**
 * The settings of an agent that user data writes to `/etc/ecs/ecs.config`: lines `ECS_NAME=value` of a here-document, or what `echo`
 * appends to that file. A line is taken as it is written: nothing is evaluated, so what a shell would put in the place of `$NAME` is not known,
 * and such a line is left out. The last of a name counts.
 * @param text the user data, decoded
 */
export function agentSettings(text: string): Readonly<Record<string, string>> {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const said =
      /^\s*(?:sudo\s+)?echo\s+(?:-e\s+)?(["']?)(ECS_[A-Z0-9_]+=.*?)\1\s*>>\s*["']?\/etc\/ecs\/ecs\.config["']?\s*$/.exec(
        line,
      )?.[2] ?? /^\s*(?:export\s+)?(ECS_[A-Z0-9_]+=.*?)\s*$/.exec(line)?.[1];
    const [, name, value = ''] = /^(ECS_[A-Z0-9_]+)=(.*)$/s.exec(said ?? '') ?? [];
    const plain = /^(["'])(.*)\1$/s.exec(value)?.[2] ?? value;
    if (name === undefined || plain.length > longest || /[$`]/.test(plain)) continue;
    found.set(name, plain);
    if (found.size >= most) break;
  }
  return Object.fromEntries(found);
}
