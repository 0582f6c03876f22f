/** One of Docker's log drivers, as far as its options make the engine connect to something or read a file. */
export interface LogDriver {
  /** Every option it takes; others could name an address that nobody here knows of. */
  readonly options: ReadonlySet<string>;
  /** The option that names where logs go. */
  readonly address?: {
    readonly option: string;
    /** By scheme, whether the connection is plain, so that it can be made to an address instead of a name. */
    readonly schemes: Readonly<Record<string, 'plain' | 'tls'>>;
    /** The scheme of an address that has none. */
    readonly implied?: string;
  };
  /** Options that name files of the engine's host. */
  readonly files: ReadonlySet<string>;
  /** Options that the agent sets, never a task definition. */
  readonly reserved: ReadonlySet<string>;
}

/** What every driver takes ("Configure logging drivers"): how messages are buffered and kept for reading back. */
const common = ['mode', 'max-buffer-size', 'cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'];
/** What of the container most drivers add to each message. */
const attributes = ['labels', 'labels-regex', 'env', 'env-regex'];

function driver(parts: {
  readonly options: readonly string[];
  readonly address?: LogDriver['address'];
  readonly files?: readonly string[];
  readonly reserved?: readonly string[];
}): LogDriver {
  const { options, address, files = [], reserved = [] } = parts;
  return {
    options: new Set([
      ...common,
      'tag',
      ...options,
      ...files,
      ...reserved,
      ...(address === undefined ? [] : [address.option]),
    ]),
    ...(address === undefined ? {} : { address }),
    files: new Set(files),
    reserved: new Set(reserved),
  };
}

/** The drivers that a task definition can name (docs.docker.com, "Supported logging drivers", each driver's own page). */
export const logDrivers: ReadonlyMap<string, LogDriver> = new Map([
  ['json-file', driver({ options: [...attributes, 'max-size', 'max-file', 'compress'] })],
  ['journald', driver({ options: attributes })],
  [
    'syslog',
    driver({
      options: [...attributes, 'syslog-facility', 'syslog-format', 'syslog-tls-skip-verify'],
      // Without an address it is the local one, which the host's operator set up.
      address: { option: 'syslog-address', schemes: { udp: 'plain', tcp: 'plain', 'tcp+tls': 'tls' } },
      files: ['syslog-tls-ca-cert', 'syslog-tls-cert', 'syslog-tls-key'],
    }),
  ],
  [
    'gelf',
    driver({
      options: [
        ...attributes,
        'gelf-compression-level',
        'gelf-compression-type',
        'gelf-tcp-max-reconnect',
        'gelf-tcp-reconnect-delay',
      ],
      address: { option: 'gelf-address', schemes: { udp: 'plain', tcp: 'plain' } },
    }),
  ],
  [
    'fluentd',
    driver({
      options: [
        ...attributes,
        'fluentd-async',
        'fluentd-async-connect',
        'fluentd-async-reconnect-interval',
        'fluentd-buffer-limit',
        'fluentd-force-stop-async-send',
        'fluentd-max-retries',
        'fluentd-read-timeout',
        'fluentd-request-ack',
        'fluentd-retry-wait',
        'fluentd-sub-second-precision',
        'fluentd-write-timeout',
      ],
      address: { option: 'fluentd-address', schemes: { tcp: 'plain', tls: 'tls' }, implied: 'tcp' },
    }),
  ],
  [
    'splunk',
    driver({
      options: [
        ...attributes,
        'splunk-token',
        'splunk-source',
        'splunk-sourcetype',
        'splunk-index',
        'splunk-caname',
        'splunk-insecureskipverify',
        'splunk-format',
        'splunk-verify-connection',
        'splunk-gzip',
        'splunk-gzip-level',
        'splunk-index-acknowledgment',
      ],
      address: { option: 'splunk-url', schemes: { http: 'plain', https: 'tls' } },
      files: ['splunk-capath'],
    }),
  ],
  [
    'awslogs',
    driver({
      options: [
        'awslogs-region',
        'awslogs-group',
        'awslogs-stream',
        'awslogs-stream-prefix',
        'awslogs-create-group',
        'awslogs-create-stream',
        'awslogs-datetime-format',
        'awslogs-multiline-pattern',
        'awslogs-force-flush-interval-seconds',
        'awslogs-max-buffered-events',
        'awslogs-format',
      ],
      address: { option: 'awslogs-endpoint', schemes: { http: 'plain', https: 'tls' } },
      reserved: ['awslogs-credentials-endpoint'],
    }),
  ],
]);
