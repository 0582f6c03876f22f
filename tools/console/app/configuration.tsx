import type { JSX } from 'preact';
import { visible } from './format.ts';
import { Empty, Panel, Plain } from './parts.tsx';
import type { ServiceData } from './service-data.ts';

/** What each container of the service is: image, ports, variables and secrets, these by their names alone. */
export function ConfigurationPanel({ data }: { readonly data: ServiceData }): JSX.Element {
  const containers = data.definition?.containerDefinitions ?? [];
  const tags = data.service.tags ?? [];
  return (
    <Panel title="Configuration" flush={containers.length > 0}>
      {containers.length === 0 ? (
        <Empty title="The task definition is not shown" />
      ) : (
        <ul class="list">
          {containers.map(({ name, image, portMappings = [], environment = [], secrets = [], memory, cpu }) => (
            <li key={name}>
              <div class="grow">
                <p class="strong">
                  <Plain text={name} />
                </p>
                <p class="wrap">
                  <code>{visible(image ?? '')}</code>
                </p>
                <dl class="facts small">
                  <Fact
                    name="Ports"
                    values={portMappings.map(({ containerPort, hostPort, protocol = 'tcp' }) =>
                      hostPort === undefined || hostPort === 0
                        ? `${containerPort}/${protocol}`
                        : `${hostPort} → ${containerPort}/${protocol}`,
                    )}
                  />
                  <Fact name="Memory" values={memory === undefined ? [] : [`${memory} MiB`]} />
                  <Fact name="CPU" values={cpu === undefined || cpu === 0 ? [] : [`${cpu} units`]} />
                  <Fact name="Variables" values={environment.map(({ name: variable = '' }) => variable)} />
                  <Fact name="Secrets" values={secrets.map(({ name: secret = '' }) => secret)} />
                </dl>
              </div>
            </li>
          ))}
        </ul>
      )}
      {tags.length === 0 ? null : (
        <ul class="tags" aria-label="Tags">
          {tags.map(({ key, value }) => (
            <li key={key}>
              <Plain text={key} />: <Plain text={value} />
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

const Fact = ({ name, values }: { readonly name: string; readonly values: readonly string[] }): JSX.Element | null =>
  values.length === 0 ? null : (
    <div>
      <dt>{name}</dt>
      <dd class="wrap">
        {values.map((value) => (
          <code key={value}>{visible(value)}</code>
        ))}
      </dd>
    </div>
  );
