import type { ShownDenial } from '@slipway/auth/denials';
import { accessReport } from './access-report.ts';
import { CliError } from './errors.ts';
import { harmless, parseOutput, print, printJson } from './output.ts';
import { askServer } from './own-routes.ts';

/**
 * `slipway explain --request`: why a request of the last hour was refused, with what every policy said of it then. The server tells whoever may
 * call `iam:SimulatePrincipalPolicy` on the user or role that was refused.
 */
export async function explainDenial(id: string, options: { readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id))
    throw new CliError(`'${id}' is not the id of a request: it is in the answer's header x-amzn-requestid`, 2);
  const denial = (await askServer('GET', `/slipway/denials/${id}`, { service: 'iam' })) as ShownDenial;
  if (output === 'json') printJson(denial);
  else print(harmless(denialReport(denial)));
}

/** A refusal for people. */
export function denialReport(denial: ShownDenial): string {
  const { time, service, operation, principal, sourceIp, via, action, resources, resourcesLeftOut } = denial;
  const others = resourcesLeftOut === 0 ? '' : ` and ${resourcesLeftOut} more`;
  return [
    `${time}  ${service}:${operation}  by ${principal} from ${sourceIp} (${via})`,
    `refused ${action} on ${resources.join(', ') || '*'}${others}: ${denial.reason}`,
    ...denial.explanations.map((one) => `\n${accessReport(one)}`),
  ].join('\n');
}
