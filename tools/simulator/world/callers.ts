import type { Chance } from './chance.ts';
import type { Checks } from './checks.ts';
import { describe, describeAnswer } from './describe.ts';
import type { History } from './history.ts';
import { Violation } from './invariants.ts';
import type { Process } from './machine.ts';
import { NoAnswer, type SimulatedNetwork } from './network.ts';
import type { Counts } from './outcome.ts';
import { listening, type SimulatedServer } from './server.ts';
import type { Answer } from './users.ts';

export interface CallersPorts {
  readonly network: SimulatedNetwork;
  readonly servers: readonly SimulatedServer[];
  readonly chance: Chance;
  readonly now: () => number;
  readonly history: History;
  readonly counts: Counts;
  readonly checks: Checks;
  readonly violated: (violation: Violation) => void;
}

/** Calls of the API as users and operators make them: each at one of the servers that are ready. What is answered is checked. */
export class Callers {
  readonly #ports: CallersPorts;

  constructor(ports: CallersPorts) {
    this.#ports = ports;
  }

  async call<T>(from: Process, operation: string, input: object): Promise<Answer<T>> {
    const { network, servers, chance, now, history, counts, checks } = this.#ports;
    counts.calls += 1;
    const asked = now();
    checks.asks(input);
    const ready = servers.filter((server) => server.process !== undefined);
    const server = chance.pick(ready.length > 0 ? ready : servers);
    const answer = await network
      .call(from, listening(server), () => server.call(operation, input, 'admin'))
      .then(
        (value): Answer<T> => ({ kind: 'done', value: value as T }),
        (error: unknown): Answer<T> => this.#notDone(operation, error),
      );
    history.note('user', () => `${operation} ${JSON.stringify(input).slice(0, 300)} ${describeAnswer(answer)}`);
    if (answer.kind === 'done') checks.answered({ operation, input, value: answer.value, asked });
    if (answer.kind === 'refused') counts.refused += 1;
    if (answer.kind === 'unknown') counts.unanswered += 1;
    return answer;
  }

  #notDone(operation: string, error: unknown): Answer<never> {
    const { name, message, code } = error as { name: string; message: string; code?: string };
    if (error instanceof NoAnswer || name === 'StoreUnavailable' || name === 'ConditionFailed') {
      return { kind: 'unknown', why: message };
    }
    if (typeof code === 'string') return { kind: 'refused', code, message };
    this.#ports.violated(new Violation('no-accident', `${operation} failed with ${describe(error)}`));
    return { kind: 'unknown', why: message };
  }
}
