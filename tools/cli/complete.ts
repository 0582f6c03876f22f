import { readdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { paginateDescribeRepositories, ECRClient } from '@aws-sdk/client-ecr';
import {
  paginateListClusters,
  paginateListContainerInstances,
  paginateListServices,
  paginateListTasks,
} from '@aws-sdk/client-ecs';
import type { Command, Option } from 'commander';
import { clientSettings, ecsClient } from './aws-client.ts';
import { CliError } from './errors.ts';
import { print } from './output.ts';

/** A word that may stand next, with what it means. */
export interface Candidate {
  readonly word: string;
  readonly about: string;
}

/** What may stand next: words that the commands have, or names that are asked for. */
export interface Next {
  readonly prefix: string;
  readonly words: readonly Candidate[];
  readonly names?: keyof typeof namesOf;
  /** Where names are looked for, as far as it was typed. */
  readonly cluster?: string;
}

/** Commands that are loaded only when they are called: with them comes the whole control plane. */
export const late: readonly Candidate[] = [
  { word: 'simulate', about: 'how many instances a cluster or a workload needs' },
  { word: 'placement', about: 'questions about placement' },
];

/** Longest time that somebody who pressed Tab waits for names, in milliseconds. */
const patience = 1500;

/** `slipway __complete`: what may stand in place of the last word, a line each, with its meaning behind a tab. Whatever fails, fails in silence. */
export async function complete(program: Command, words: readonly string[]): Promise<void> {
  const next = nextWords(program, words);
  const names =
    next.names === undefined ? [] : await within(patience, namesOf[next.names](next.cluster ?? 'default', next.prefix));
  const found = [...next.words, ...names.map((word) => ({ word, about: '' }))];
  for (const { word, about } of found.filter(({ word }) => word.startsWith(next.prefix)))
    // A name with other characters would be something else in a shell.
    if (/^[\w@./:+=-]+$/.test(word)) print(about === '' ? word : `${word}\t${about.split('\n')[0] ?? ''}`);
  // A client that still waits for an answer keeps nobody waiting.
  process.exit(0);
}

async function within(ms: number, names: Promise<readonly string[]>): Promise<readonly string[]> {
  const late = new Promise<readonly string[]>((end) => setTimeout(() => end([]), ms).unref());
  return Promise.race([names, late]).catch(() => []);
}

/** What may stand in place of the last of these words, by the commands' own description. */
export function nextWords(program: Command, words: readonly string[]): Next {
  const prefix = words.at(-1) ?? '';
  let command = program;
  let position = 0;
  let awaited: Option | undefined;
  let cluster: string | undefined;
  for (const word of words.slice(0, -1)) {
    if (awaited !== undefined) {
      if (awaited.long === '--cluster') cluster = word;
      awaited = undefined;
      continue;
    }
    if (word.startsWith('-')) {
      const option = command.options.find((one) => one.short === word || one.long === word);
      awaited = option !== undefined && (option.required || option.optional) ? option : undefined;
      continue;
    }
    const below = position === 0 ? command.commands.find((one) => one.name() === word) : undefined;
    if (below === undefined) position += 1;
    else command = below;
  }
  const of = { prefix, ...(cluster === undefined ? {} : { cluster }) };
  if (awaited !== undefined) return { ...of, ...valuesOf(awaited) };
  if (prefix.startsWith('-')) return { ...of, words: optionsOf(command, words) };
  const below = position === 0 ? command.commands.filter((one) => !one.name().startsWith('__')) : [];
  const names = namesFor(command, position);
  return {
    ...of,
    words: [
      ...below.map((one) => ({ word: one.name(), about: one.description() })),
      ...(command === program && position === 0 ? late : []),
    ],
    ...(names === undefined ? {} : { names }),
  };
}

function optionsOf(command: Command, typed: readonly string[]): readonly Candidate[] {
  const options = command.options.flatMap(({ long, description, variadic }) =>
    typeof long !== 'string' || (typed.slice(0, -1).includes(long) && !variadic)
      ? []
      : [{ word: long, about: description }],
  );
  return [...options, { word: '--help', about: 'show what it does, with examples' }];
}

/** What an option takes: names, or the words of its description (`text or json`). */
function valuesOf({ long, description }: Option): Pick<Next, 'words' | 'names'> {
  if (long === '--cluster') return { words: [], names: 'clusters' };
  if (long === '--service') return { words: [], names: 'services' };
  if (long === '--host') return { words: [], names: 'hosts' };
  if (long !== undefined && /^--(data|settings|file|out|trace|chart|config)$/.test(long))
    return { words: [], names: 'files' };
  const said = long === '--output' ? (description.match(/\b(text|json|junit)\b/g) ?? []) : [];
  return { words: [...new Set(said)].map((word) => ({ word, about: '' })) };
}

/** Which names stand at a position of a command, by the name of its argument. */
function namesFor(command: Command, position: number): Next['names'] {
  const name = command.registeredArguments[position]?.name();
  return name === undefined ? undefined : argumentNames[name];
}

/** What stands for an argument, by its name. */
const argumentNames: Readonly<Record<string, Next['names']>> = {
  'cluster/service': 'services',
  'service|task': 'services',
  task: 'tasks',
  repository: 'repositories',
  image: 'repositories',
  host: 'hosts',
  what: 'files',
  sources: 'files',
  file: 'files',
};

const last = (arn: string): string => arn.split('/').at(-1) ?? '';

/** The names that there are, each kind by one page of a list. */
const namesOf = {
  async clusters(): Promise<readonly string[]> {
    for await (const { clusterArns = [] } of paginateListClusters({ client: ecsClient() }, {}))
      return clusterArns.map(last);
    return [];
  },
  /** Of the cluster that is named before the slash; without one, of `default`, and the other clusters. */
  async services(typed: string, prefix: string): Promise<readonly string[]> {
    const [before, after] = prefix.split('/');
    const cluster = after === undefined ? typed : (before ?? typed);
    const names: string[] = [];
    for await (const { serviceArns = [] } of paginateListServices(
      { client: ecsClient() },
      { cluster, maxResults: 100 },
    )) {
      names.push(...serviceArns.map(last));
      break;
    }
    if (after !== undefined) return names.map((name) => `${cluster}/${name}`);
    return [...names, ...(await namesOf.clusters()).map((name) => `${name}/`)];
  },
  async tasks(cluster: string): Promise<readonly string[]> {
    for await (const { taskArns = [] } of paginateListTasks({ client: ecsClient() }, { cluster }))
      return taskArns.map(last);
    return [];
  },
  async hosts(cluster: string): Promise<readonly string[]> {
    const pages = paginateListContainerInstances({ client: ecsClient() }, { cluster });
    for await (const { containerInstanceArns = [] } of pages) return containerInstanceArns.map(last);
    return [];
  },
  async repositories(): Promise<readonly string[]> {
    const client = new ECRClient(clientSettings());
    for await (const { repositories = [] } of paginateDescribeRepositories({ client }, { maxResults: 100 }))
      return repositories.map(({ repositoryName = '' }) => repositoryName);
    return [];
  },
  // oxlint-disable-next-line require-await -- as the others
  async files(_: string, prefix: string): Promise<readonly string[]> {
    const folder = prefix.endsWith('/') ? prefix : dirname(prefix);
    const shown = prefix.includes('/') ? (folder.endsWith('/') ? folder : `${folder}/`) : '';
    return readdirSync(resolve(folder), { withFileTypes: true }).map(
      (entry) => `${shown === '' ? entry.name : join(shown, entry.name)}${entry.isDirectory() ? '/' : ''}`,
    );
  },
};

const program = join(import.meta.dirname, '..', 'bin', 'slipway');

/** `slipway completion`: what a shell is to read at its start, so that Tab knows the commands, their options, and what there is. */
export function completionScript(shell: string): string {
  const quoted = `'${program.replaceAll("'", String.raw`'\''`)}'`;
  switch (shell) {
    case 'bash':
      return `_slipway() {
  local IFS=$'\\n'
  COMPREPLY=($(${quoted} __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
  if [[ \${#COMPREPLY[@]} -eq 1 && \${COMPREPLY[0]} == */ ]]; then compopt -o nospace; fi
}
complete -F _slipway slipway
`;
    case 'zsh':
      return `#compdef slipway
_slipway() {
  local line
  local -a found
  for line in "\${(@f)$(${quoted} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] && found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  _describe slipway found
}
compdef _slipway slipway
`;
    case 'fish':
      return `complete -c slipway -f -a '(${quoted.replaceAll("'", String.raw`\'`)} __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
`;
    default:
      throw new CliError(`there is completion for bash, zsh and fish, not for '${shell}'`, 2);
  }
}
