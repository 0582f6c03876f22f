import type { Command } from 'commander';

/** What to type, by command: shown in its help, and with what was typed wrongly. */
const examples: Readonly<Record<string, readonly string[]>> = {
  serve: ['slipway serve', 'SLIPWAY_PORT=7600 SLIPWAY_DATA=/srv/slipway slipway serve'],
  env: ['eval "$(slipway env)"', 'slipway env --output json'],
  agent: ['slipway agent --cluster default'],
  'agent bundle': ['slipway agent bundle --out /usr/local/bin/slipway-agent'],
  balancer: ['slipway balancer --name edge-1', 'slipway balancer --leave'],
  up: [
    'slipway up',
    'slipway up my-web-image --port 8080 --count 2',
    'slipway up compose.yaml --name shop --dry-run',
    'slipway up ./web --yes --output json',
  ],
  down: ['slipway down', 'slipway down --name shop --all --yes'],
  ps: [
    'slipway ps',
    'slipway ps --services',
    'slipway ps prod/api --all',
    'slipway ps --cluster prod --status PENDING --watch',
  ],
  images: ['slipway images', 'slipway images web --all --output json'],
  volumes: ['slipway volumes', 'slipway volumes --cluster prod --output json'],
  follow: ['slipway follow web', "slipway follow prod/api --semver '^1.4'", 'slipway follow web --off'],
  deploy: ['slipway deploy web --image 127.0.0.1:7500/web:v2 --wait'],
  strategy: ['slipway strategy web blue-green --bake 10', 'slipway strategy prod/api canary --judge true'],
  'deployments list': ['slipway deployments list web'],
  'deployments show': [
    'slipway deployments show web',
    'slipway deployments show prod/api 4kMvQ --output json',
    'slipway deployments show d-ABCDEF123',
  ],
  'deployments watch': ['slipway deployments watch web', 'slipway deployments watch prod/api ecs-svc/1234567890'],
  'deployments continue': ['slipway deployments continue web', 'slipway deployments continue d-ABCDEF123 --end-old'],
  'deployments rollback': ['slipway deployments rollback web'],
  'deployments stop': ['slipway deployments stop web'],
  explain: [
    'slipway explain web',
    'slipway explain prod/api --output json',
    'slipway explain d-ABCDEF123',
    'slipway explain --request 0b9c6f0e-8f1c-4a54-9f43-1f0a3a0d6f0b',
  ],
  events: [
    'slipway events --follow',
    'slipway events prod/api --since 1d',
    'slipway events --output json | jq .detail',
  ],
  'alarms list': ['slipway alarms list --state ALARM'],
  'alarms show': ['slipway alarms show web-errors'],
  'alarms history': ['slipway alarms history web-errors'],
  'alarms secret': ['slipway alarms secret web-errors --renew'],
  'subscriptions show': ['slipway subscriptions show web to-search'],
  'subscriptions secret': ['slipway subscriptions secret web to-search'],
  scale: [
    'slipway scale web 5',
    'slipway scale web --min 2 --max 10 --cpu 60',
    'slipway scale default/web --svg ahead.svg',
  ],
  logs: [
    'slipway logs web --follow',
    'slipway logs prod/api --since 2h --grep "exit code"',
    `slipway logs prod/api --filter '{ $.level = "error" && $.ms > 500 }' --output json`,
    `slipway logs web --since 1h --query 'filter level = "error" | stats count(*) by bin(5m)'`,
    'slipway logs 0123456789abcdef0123456789abcdef --since 1d',
  ],
  exec: [
    'slipway exec web',
    'slipway exec -it prod/api --container app -- sh',
    'slipway exec web -- ls /',
    'slipway exec -i db -- psql < dump.sql',
  ],
  cp: ['slipway cp web:/var/log/app.log .', 'slipway cp ./site web:/www'],
  top: ['slipway top --watch', 'slipway top prod/api --minutes 60'],
  expose: [
    'slipway expose web',
    'slipway expose prod/api --port 8080 --health-path /healthz',
    'slipway expose web --remove',
  ],
  'lb list': ['slipway lb list'],
  'lb show': ['slipway lb show web'],
  'hosts list': ['slipway hosts', 'slipway hosts list --cluster prod --output json'],
  'hosts reclaim': ['slipway hosts reclaim 62e2f9f8 --cluster default'],
  console: ['slipway console', 'slipway console --no-open'],
  completion: [
    'source <(slipway completion bash)    # in ~/.bashrc; slipway is in the PATH, or an alias of tools/bin/slipway',
    'source <(slipway completion zsh)     # in ~/.zshrc, after compinit',
    'slipway completion fish | source     # in ~/.config/fish/config.fish',
  ],
  doctor: ['slipway doctor', 'slipway doctor --output json'],
  conformance: [
    'slipway conformance registry.example.com',
    'slipway conformance 127.0.0.1:7500 --group image --output junit',
  ],
  'tls init': ['slipway tls init --host registry.example.com 10.0.0.5'],
  'tls renew': ['slipway tls renew'],
  'auth explain': [
    'slipway auth explain --request 0b9c6f0e-8f1c-4a54-9f43-1f0a3a0d6f0b',
    'slipway auth explain --principal ci --action ecr:PutImage --resource web',
  ],
  gc: ['slipway gc --dry-run'],
  'storage audit': ['slipway storage audit --quick'],
  'storage export': ['slipway storage export --settings other.env'],
  'storage import': ['slipway storage import --settings other.env'],
  'scan update': ['slipway scan update ./osv --replace'],
  'scan start': ['slipway scan start web:prod'],
  'scan findings': ['slipway scan findings web:prod --output json'],
  'scan policy': ['slipway scan policy --block-pulls CRITICAL+unscanned'],
  'secrets set': ['slipway secrets set prod/db < password.txt', 'slipway secrets set prod/db --file password.txt'],
  'secrets get': ['slipway secrets get prod/db'],
  'secrets list': ['slipway secrets list'],
  'secrets rm': ['slipway secrets rm prod/db --now'],
  'secrets rotation': ['slipway secrets rotation prod/db', 'slipway secrets rotation prod/db --key'],
  'webhook create': ['slipway webhook create web'],
  'webhook list': ['slipway webhook list web'],
  'webhook delete': ['slipway webhook delete web 0123456789abcdef'],
  'webhook deliveries': ['slipway webhook deliveries web'],
  'webhook redeliver': [`slipway webhook redeliver web ${'0123456789abcdef'.repeat(2)} 0123456789abcdef`],
  'hook secret': ['slipway hook secret web --renew', 'slipway hook secret lab-hosts --group'],
  simulate: ['slipway simulate --workload workload.json'],
  'simulate snapshot': ['slipway simulate snapshot > cluster.json'],
  'placement explain': ['slipway placement explain --service web', 'slipway placement explain --cpu 512 --memory 1024'],
};

/** A command by the names on the way to it, without the program's. */
export function pathOf(command: Command): string {
  return command.parent === null ? '' : `${pathOf(command.parent)} ${command.name()}`.trim();
}

/** Every command that does something, with those that only have others below them left out. */
export const commandsBelow = (command: Command): readonly Command[] =>
  command.commands
    .filter((one) => !one.name().startsWith('__'))
    .flatMap((one) =>
      one.commands.length > 0 && !examples[pathOf(one)] ? commandsBelow(one) : [one, ...commandsBelow(one)],
    );

/** Gives each command's help its examples, and has what was typed wrongly answered with how it is typed. */
export function addExamples(program: Command): void {
  for (const command of commandsBelow(program)) {
    const [first, ...more] = examples[pathOf(command)] ?? [];
    if (first === undefined) continue;
    command.showHelpAfterError(`Usage: slipway ${pathOf(command)} ${command.usage()}\nFor example: ${first}`);
    command.addHelpText('after', `\nExamples:\n${[first, ...more].map((line) => `  ${line}`).join('\n')}`);
  }
}
