import { spawnSync } from 'node:child_process';

/** An AWS command line of this machine. */
export interface CommandLine {
  /** `aws-cli/2.9.19` */
  readonly name: string;
  readonly path: string;
  readonly major: number;
  /** Whether it reads AWS_ENDPOINT_URL, as the guides want: since 1.30 and 2.13. */
  readonly current: boolean;
}

/** Distributions and pip put them in different places, and both may be there. */
const places = ['aws', '/usr/local/bin/aws', '/usr/bin/aws', '/opt/slipway-test-awscli/bin/aws'];

/** Every AWS command line of this machine, each version once. */
export function commandLines(): readonly CommandLine[] {
  const found = new Map<string, CommandLine>();
  for (const path of places) {
    const { stdout, stderr, status } = spawnSync(path, ['--version'], { encoding: 'utf8' });
    const name = status === 0 ? /aws-cli\/(\d+)\.(\d+)\S*/.exec(`${stdout}${stderr}`) : null;
    if (name === null || found.has(name[0])) continue;
    const [major, minor] = [Number(name[1]), Number(name[2])];
    found.set(name[0], { name: name[0], path, major, current: minor >= (major === 1 ? 30 : 13) });
  }
  return [...found.values()];
}
