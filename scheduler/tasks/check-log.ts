import type { LogConfiguration } from '@aws-sdk/client-ecs';

import { checkOneOf, refuse, refuseContainer } from './definition-error.ts';

const drivers = ['json-file', 'syslog', 'journald', 'gelf', 'fluentd', 'awslogs', 'splunk', 'awsfirelens'];

/** The options of awslogs that ECS has ("LogConfiguration", API reference), each with what its value looks like. */
const awslogs: Readonly<Record<string, RegExp>> = {
  'awslogs-group': /^[.\-_/#A-Za-z0-9]{1,512}$/,
  'awslogs-region': /^[a-z0-9-]{1,64}$/,
  'awslogs-stream-prefix': /^[^:*]{1,256}$/,
  'awslogs-create-group': /^(?:true|false)$/,
  'awslogs-datetime-format': /^.{1,1024}$/s,
  'awslogs-multiline-pattern': /^.{1,1024}$/s,
  mode: /^(?:blocking|non-blocking)$/,
  'max-buffer-size': /^[1-9]\d{0,8}[bkmg]?$/i,
};

/**
 * Checks how a container's output is kept.
 * @throws ClientException, InvalidParameterException
 */
export function checkLog(name: string, log: LogConfiguration): void {
  checkOneOf(name, 'logDriver', log.logDriver, drivers);
  if (log.logDriver === 'awslogs') checkAwslogs(name, log.options ?? {});
}

/** An own endpoint makes it Docker's driver, whose options the rules of reach know. */
function checkAwslogs(name: string, options: Readonly<Record<string, string>>): void {
  for (const option of ['awslogs-group', 'awslogs-region']) {
    if (!options[option]) refuse(`Log driver awslogs requires options: ${option}.`);
  }
  const own = options['awslogs-endpoint'] !== undefined;
  for (const [option, value] of Object.entries(options)) {
    const form = Object.hasOwn(awslogs, option) ? awslogs[option] : undefined;
    if (form === undefined) {
      if (!own) refuse(`Log driver awslogs disallows options: ${option}.`);
    } else if (!form.test(value)) {
      refuseContainer(name, `The option '${option}' of log driver awslogs cannot be '${value}'.`);
    }
  }
  if (options['awslogs-datetime-format'] && options['awslogs-multiline-pattern']) {
    refuseContainer(name, "Give 'awslogs-datetime-format' or 'awslogs-multiline-pattern', not both.");
  }
}
