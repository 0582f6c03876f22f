import type { Command } from 'commander';

/** Looking after an installation: its machine, certificates, rights, stores and scans. */
export function addAdministration(program: Command): void {
  program
    .command('doctor')
    .description('check this machine and the running server, and say what to do about what is wrong')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: { data: string; output: string }) => (await import('../doctor.ts')).doctor(options));

  program
    .command('conformance')
    .description(
      'ask a registry everything that the OCI Distribution Specification demands, e.g. your own behind its proxy (exit 1: something failed)',
    )
    .argument('<registry>', '<host>[:<port>] or its URL')
    .option('--spec <version>', 'stable (1.1), or dev: what the specification adds after it', 'stable')
    .option('--upload-cancel', 'uploads must be cancellable in the stable version too')
    .option(
      '--username <name>',
      'whom to log in as; with Slipway AWS, and the password from aws ecr get-login-password',
    )
    .option('--password-stdin', 'read the password from standard input')
    .option('--repositories <names...>', 'two repositories that are for this alone; they are written to and emptied', [
      'conformance/one',
      'conformance/two',
    ])
    .option('--group <names...>', 'run these groups of cases alone, e.g. image')
    .option('--output <format>', 'text, json or junit', 'text')
    .action(async (registry: string, options: import('../conformance.ts').ConformanceCommand) =>
      (await import('../conformance.ts')).conformance(registry, options),
    );

  const tls = program
    .command('tls')
    .description('certificates: of a local authority, or by ACME (SLIPWAY_ACME_DOMAINS; see auth/acme/README.md)');
  tls
    .command('init')
    .description('make a local certificate authority and a server certificate, and say how clients come to trust them')
    .option('--host <names...>', 'further names and addresses that clients use, without port')
    .option('--days <days>', 'how long the server certificate is valid', '397')
    .option('--port <port>', 'the port in what is printed', process.env['SLIPWAY_PORT'] ?? '7500')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: import('../tls.ts').TlsInitOptions) => (await import('../tls.ts')).initTls(options));

  tls
    .command('renew')
    .description('order a new certificate by ACME now; run it where the server runs, with its settings')
    .option('--new-account', 'with a new account at the authority')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .action(async (options: { data: string; newAccount?: boolean }) =>
      (await import('../tls-renew.ts')).renewTls(options),
    );

  const auth = program.command('auth').description('ask about permissions');
  auth
    .command('explain')
    .description(
      'say why somebody may or may not do something, with the policies that were looked at (exit 0: may, 3: may not)',
    )
    .option(
      '--request <id>',
      'a request that was made, by the id in its answer: what was decided then, and what would be now',
    )
    .option('--principal <who>', 'name of a user, ARN of a user, role or session, or an access key id')
    .option('--action <service:Action>', 'e.g. ecr:PutImage')
    .option('--resource <ARN or repository>', 'what is acted on, with its own policy and tags')
    .option('--context <key=value...>', 'condition keys, e.g. aws:ResourceTag/team=a')
    .option('--source-ip <address>', 'where the request comes from (default: this machine)')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: import('../auth.ts').ExplainOptions) =>
      (await import('../auth.ts')).explainAccess(options),
    );

  program
    .command('gc')
    .description(
      'remove blobs that no image needs any more, now, giving way to all else; servers do it every few minutes by themselves',
    )
    .option('--dry-run', 'only count')
    .option('--maximum <blobs>', 'at most this many')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: { data: string; dryRun?: boolean; maximum?: string; output: string }) => {
      // Servers on this machine go first; even before the rest is loaded, which is half a second of work on several threads.
      await (await import('../background.ts')).yieldProcessor();
      await (await import('../gc.ts')).gc(options);
    });

  const storage = program
    .command('storage')
    .description('look after the stores; run these where the server runs, with its settings');
  storage
    .command('audit')
    .description(
      'compare records with bytes: acknowledged but missing, damaged, present but unreferenced (exit 4: something is lost)',
    )
    .option('--repair', 'remove what is unreferenced and older than a day; nothing else is ever changed')
    .option('--quick', 'compare sizes only, do not read the bytes')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: import('../storage.ts').AuditCommand) =>
      (await import('../storage.ts')).auditStorage(options),
    );
  for (const direction of ['export', 'import'] as const) {
    storage
      .command(direction)
      .description(
        `copy the whole installation ${direction === 'export' ? 'to' : 'from'} other stores (stop all servers first; an interrupted run goes on)`,
      )
      .requiredOption('--settings <file>', 'SLIPWAY_* settings of the other stores, one NAME=value a line')
      .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
      .option('--output <format>', 'text or json', 'text')
      .action(async (options: { settings: string; data: string; output: string }) =>
        (await import('../storage.ts')).transferStorage({ ...options, direction }),
      );
  }

  const scan = program.command('scan').description('vulnerability scans of images');
  scan
    .command('update')
    .description("fill the embedded scanner's advisories from OSV data; run it where the server runs")
    .argument('<sources...>', 'folders, .zip or .json files, or URLs of either, in the OSV format')
    .option('--replace', 'forget what was imported before')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .action(async (sources: string[], options: { data: string; replace?: boolean; output: string }) =>
      (await import('../scan.ts')).updateScanner(sources, options),
    );
  scan
    .command('start')
    .description('scan an image now')
    .argument('<image>', '<repository>:<tag> or <repository>@<digest>')
    .action(async (image: string) => (await import('../scan.ts')).startScan(image));
  scan
    .command('findings')
    .description('show what the newest scan of an image found')
    .argument('<image>', '<repository>:<tag> or <repository>@<digest>')
    .option('--output <format>', 'text or json', 'text')
    .action(async (image: string, options: { output: string }) =>
      (await import('../scan.ts')).scanFindings(image, options),
    );

  scan
    .command('policy')
    .description('show or set which findings forbid pulls and roll-outs; run it where the server runs')
    .option('--block-pulls <rule>', 'a severity, e.g. CRITICAL, HIGH+unscannable or HIGH+unscanned, or none')
    .option('--block-rollouts <rule>', 'a severity, e.g. CRITICAL, HIGH+unscannable or HIGH+unscanned, or none')
    .option('--data <folder>', 'data folder of the server', process.env['SLIPWAY_DATA'] ?? 'data')
    .option('--output <format>', 'text or json', 'text')
    .action(async (options: import('../scan.ts').PolicyOptions) => (await import('../scan.ts')).scanPolicy(options));
}
