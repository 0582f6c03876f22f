import type { ContainerDefinition, Volume } from '@aws-sdk/client-ecs';

/** What is to run, whichever file or option said so. */
export interface App {
  /** Lower-case letters, digits and hyphens: the beginning of all names. */
  readonly name: string;
  /** Where the file lies; what it names is looked for from here. */
  readonly folder: string;
  readonly services: readonly AppService[];
  /** Who may connect to its load balancers, CIDR; undefined leaves that as it is. */
  readonly from?: string;
}

/** A service of ECS: containers that run together, so many times. */
export interface AppService {
  readonly name: string;
  /** Line of the file that it begins on, for what is found wrong later; 0 for none. */
  readonly line: number;
  /** How many tasks; undefined leaves the count that it has, 1 at first. */
  readonly count?: number;
  readonly containers: readonly AppContainer[];
  readonly volumes: readonly Volume[];
  /** Ports of its load balancer. */
  readonly publish: readonly Published[];
  /** What targets are asked for. */
  readonly healthPath: string;
  /** Limit of the task in units of 1/1024 of a core. */
  readonly cpu?: number;
}

export interface Published {
  readonly container: string;
  readonly containerPort: number;
  /** Which clients use. */
  readonly port: number;
}

export interface AppContainer {
  readonly source: ImageSource;
  /** Names or ARNs of secrets by the variable that gets their value. */
  readonly secrets: Readonly<Record<string, string>>;
  /** As ECS has it, but for image, log configuration and secrets. */
  readonly definition: ContainerDefinition & { readonly name: string };
}

/** Where the image of a container comes from. */
export type ImageSource =
  | { readonly kind: 'image'; readonly image: string }
  | {
      readonly kind: 'build';
      readonly context: string;
      readonly dockerfile?: string;
      readonly target?: string;
      readonly arguments: Readonly<Record<string, string>>;
      /** `name[:tag]` in this installation's registry. */
      readonly image: string;
    };

/** Memory that a container has reserved where nobody said how much, in MiB. It may use more. */
export const usualMemory = 128;

/** The project's name from a text: what is not allowed becomes a hyphen. */
export const nameFrom = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 20)
    .replace(/-$/, '');
