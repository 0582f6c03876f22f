import { expect, test } from 'vitest';

import { agentSettings } from './user-data.ts';

test.each([
  ['#!/bin/bash\necho ECS_CLUSTER=web >> /etc/ecs/ecs.config\n', { ECS_CLUSTER: 'web' }],
  [`#!/bin/bash\nsudo echo "ECS_CLUSTER=web" >> "/etc/ecs/ecs.config"`, { ECS_CLUSTER: 'web' }],
  [
    `#!/bin/bash\n\n      cat <<'EOF' >> /etc/ecs/ecs.config\n      ECS_CLUSTER=ex-ec2\n      ECS_LOGLEVEL=debug\n      ECS_CONTAINER_INSTANCE_TAGS={"Name":"ex"}\n      ECS_ENABLE_TASK_IAM_ROLE=true\n      EOF\n`,
    {
      ECS_CLUSTER: 'ex-ec2',
      ECS_LOGLEVEL: 'debug',
      ECS_CONTAINER_INSTANCE_TAGS: '{"Name":"ex"}',
      ECS_ENABLE_TASK_IAM_ROLE: 'true',
    },
  ],
  ['echo ECS_CLUSTER=a >> /etc/ecs/ecs.config\necho ECS_CLUSTER=b >> /etc/ecs/ecs.config', { ECS_CLUSTER: 'b' }],
  ['echo ECS_CLUSTER=$NAME >> /etc/ecs/ecs.config', {}],
  ['echo ECS_CLUSTER=`id` >> /etc/ecs/ecs.config', {}],
  ['echo hello; curl https://example.com/?ECS_CLUSTER=x', {}],
  ['', {}],
])('%j says %j', (text, settings) => {
  expect(agentSettings(text)).toEqual(settings);
});
