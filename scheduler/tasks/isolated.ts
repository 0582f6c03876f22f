import type { ConstraintSpec } from '../placement/index.ts';
import { isolationAttribute } from '../state/index.ts';
import { containersOf, type TaskDefinitionBody } from './definition.ts';

/**
 * Keeps a definition of Fargate from hosts that isolate such tasks where isolated containers could not be what it asks for: each has a
 * kernel of its own. The agent refuses the same by itself (`hosts/agent/isolation`).
 */
export function isolationConstraints(body: TaskDefinitionBody): ConstraintSpec[] {
  const why = unlike(body);
  const only = (expression: string, what: string): ConstraintSpec => ({
    type: 'memberOf',
    expression,
    otherwise: {
      code: 'RESOURCE:FARGATE',
      sentence: `isolates tasks of Fargate (its agent runs with --isolation), and this one ${what}`,
    },
  });
  if (why !== undefined) return [only(`attribute:${isolationAttribute} !exists`, why)];
  if (containersOf(body).length < 2) return [];
  const several = `attribute:${isolationAttribute} !exists or attribute:${isolationAttribute}.containers == several`;
  return [only(several, 'has several containers, of which its runtime runs one')];
}

function unlike(body: TaskDefinitionBody): string | undefined {
  if (body.pidMode === 'task') return "has one PID namespace for all containers (pidMode 'task')";
  const containers = containersOf(body);
  if (containers.some(({ systemControls = [] }) => systemControls.length > 0))
    return 'sets parameters of the kernel (systemControls)';
  if (containers.some(({ firelensConfiguration }) => firelensConfiguration !== undefined))
    return 'has a log router (FireLens), whose socket the engine could not reach';
  return undefined;
}
