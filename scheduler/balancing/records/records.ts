import type { AlpnPolicy } from './ssl-policies.ts';

/** What an account's load balancing is made of, record by record. Ids are 16 hexadecimal digits, times milliseconds since the epoch. */

export type Tags = Readonly<Record<string, string>>;

/** Attributes by key, those that were set; see `attributes.ts` for what others are. */
export type Attributes = Readonly<Record<string, string>>;

interface Noun {
  readonly id: string;
  readonly tags: Tags;
}

export type BalancerType = 'application' | 'network';

/** A load balancer: an address on which listeners are. */
export interface LoadBalancerRecord extends Noun {
  readonly name: string;
  readonly type: BalancerType;
  readonly scheme: 'internet-facing' | 'internal';
  readonly vpcId: string;
  /** One of each zone. */
  readonly subnets: readonly { readonly id: string; readonly zone: string }[];
  readonly securityGroups: readonly string[];
  /** Of the pool; it may share it with others when the pool has no free one. */
  readonly address: string;
  readonly dnsName: string;
  readonly createdAt: number;
  readonly attributes: Attributes;
}

/** Protocols that are served; others of ELB's are refused by name. */
export type Protocol = 'HTTP' | 'HTTPS' | 'TCP' | 'TLS';
export type ProtocolVersion = 'HTTP1' | 'HTTP2' | 'GRPC';

/** How targets of a group are checked. Seconds. */
export interface HealthCheckRecord {
  readonly protocol: 'HTTP' | 'HTTPS' | 'TCP';
  /** `traffic-port`: each target's own. */
  readonly port: 'traffic-port' | number;
  /** Of HTTP and HTTPS. */
  readonly path?: string;
  /** `200`, `200,202`, `200-399`; of gRPC its own codes. Of HTTP and HTTPS. */
  readonly matcher?: string;
  readonly interval: number;
  readonly timeout: number;
  /** Checks in a row after which a target changes its state. */
  readonly healthyThreshold: number;
  readonly unhealthyThreshold: number;
}

export interface TargetGroupRecord extends Noun {
  readonly name: string;
  readonly protocol: Protocol;
  /** Of HTTP and HTTPS. */
  readonly protocolVersion?: ProtocolVersion;
  readonly port: number;
  readonly vpcId: string;
  readonly targetType: 'instance' | 'ip';
  readonly healthCheck: HealthCheckRecord;
  readonly createdAt: number;
  readonly attributes: Attributes;
}

/** What is done with a request. Group ids, not ARNs. */
export type ActionRecord =
  | {
      readonly type: 'forward';
      readonly order?: number;
      readonly targetGroups: readonly { readonly id: string; readonly weight: number }[];
      readonly stickiness?: { readonly enabled: boolean; readonly seconds?: number };
    }
  | {
      readonly type: 'redirect';
      readonly order?: number;
      readonly status: 301 | 302;
      readonly protocol: string;
      readonly host: string;
      readonly port: string;
      readonly path: string;
      readonly query: string;
    }
  | {
      readonly type: 'fixed-response';
      readonly order?: number;
      readonly status: number;
      readonly contentType?: string;
      readonly body?: string;
    };

/** One condition of a rule; of `values` and `regexValues` one must fit. */
export type ConditionRecord =
  | {
      readonly field: 'host-header' | 'path-pattern';
      readonly values: readonly string[];
      readonly regexValues: readonly string[];
    }
  | {
      readonly field: 'http-header';
      readonly name: string;
      readonly values: readonly string[];
      readonly regexValues: readonly string[];
    }
  | { readonly field: 'http-request-method' | 'source-ip'; readonly values: readonly string[] }
  | { readonly field: 'query-string'; readonly pairs: readonly { readonly key?: string; readonly value: string }[] };

export interface ListenerRecord extends Noun {
  readonly loadBalancerId: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** Of HTTPS and TLS. */
  readonly sslPolicy?: string;
  /** Of TLS, where one was given. */
  readonly alpnPolicy?: AlpnPolicy;
  /** ARNs; the first is the default. */
  readonly certificates: readonly string[];
  readonly defaultAction: ActionRecord;
  /** The default rule has no record of its own, and this id. */
  readonly defaultRuleId: string;
  readonly createdAt: number;
  readonly attributes: Attributes;
}

export interface RuleRecord extends Noun {
  readonly listenerId: string;
  /** 1 to 50,000; no two rules of a listener have the same. */
  readonly priority: number;
  readonly conditions: readonly ConditionRecord[];
  readonly action: ActionRecord;
}

/** What checks have found of a target so far, in ELB's words. */
export interface HealthRecord {
  readonly state: 'initial' | 'healthy' | 'unhealthy';
  readonly reason?: string;
  readonly description?: string;
  /** Whether it ever passed a check: what never did gets no requests, even when all targets are unhealthy. */
  readonly passed?: true;
}

/**
 * One registration of a target: an address and port that come back are another one. The id says which of them a request or a sample
 * is about.
 */
export interface TargetRecord extends Noun {
  readonly groupId: string;
  /** As it was registered: an address, or the id of an instance. */
  readonly targetId: string;
  readonly port: number;
  /** As it was given; `all` for addresses outside the VPC. */
  readonly zone?: string;
  /** Where requests go. */
  readonly address: string;
  readonly registeredAt: number;
  /** Since when it gets no new requests. */
  readonly deregisteredAt?: number;
  readonly health: HealthRecord;
  /** The task that it is, where a service of ECS has registered it; the task's own record decides how long. */
  readonly task?: { readonly cluster: string; readonly id: string };
}

/** What a certificate says of itself (RFC 5280), as ACM shows it. Its PEM and its key lie apart, see `KeyPairRecord`. */
export interface CertificateRecord extends Noun {
  /** The common name, else the first of `names`. */
  readonly domainName: string;
  /** Names and addresses that it is for, the common name included. */
  readonly names: readonly string[];
  /** Of its DER, SHA-256, in hex. */
  readonly fingerprint: string;
  readonly serial: string;
  readonly subject: string;
  readonly issuer: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly keyAlgorithm: string;
  readonly signatureAlgorithm: string;
  readonly keyUsages: readonly string[];
  readonly extendedKeyUsages: readonly { readonly name: string; readonly oid: string }[];
  readonly createdAt: number;
  readonly importedAt: number;
}

/**
 * A certificate that an authority is to issue, and to renew. Once there is one, it is the certificate of the same id, and this says how it
 * goes on.
 */
export interface RequestedRecord extends Noun {
  readonly domainName: string;
  /** DNS names, `domainName` first. */
  readonly names: readonly string[];
  readonly keyAlgorithm: 'EC_prime256v1' | 'EC_secp384r1' | 'RSA_2048';
  readonly idempotencyToken?: string;
  readonly createdAt: number;
  readonly state: 'pending' | 'issued' | 'failed' | 'timed-out';
  /** Of `failed`: in ACM's words. */
  readonly failure?: 'CAA_ERROR' | 'DOMAIN_NOT_ALLOWED';
  /** When the next order is due. */
  readonly due: number;
  /** Orders in a row that were refused, and what the last one said. */
  readonly failures: number;
  /** Orders in a row that began, and of which nothing was heard again. */
  readonly unheard?: number;
  readonly trouble?: { readonly at: number; readonly kind: string; readonly message: string };
  /** What answers the authority while an order is under way: HTTP-01 (RFC 8555, section 8.3). */
  readonly challenges: readonly { readonly name: string; readonly token: string; readonly answer: string }[];
  readonly renewal?: {
    readonly status: 'PENDING_AUTO_RENEWAL' | 'PENDING_VALIDATION' | 'SUCCESS';
    readonly updatedAt: number;
  };
}

/** A certificate with its key: what engines serve, and nobody else is told of the key. */
export interface KeyPairRecord {
  /** PEM of the certificate alone. */
  readonly certificate: string;
  /** PEM of those that vouch for it, each for the one before. */
  readonly chain?: string;
  /** PEM (PKCS #8), sealed for `keyPairPurpose`. */
  readonly sealedKey: string;
}

export type ClassicProtocol = 'HTTP' | 'HTTPS' | 'TCP' | 'SSL';

/** A port of a Classic Load Balancer, and the port of its instances that it goes to. */
export interface ClassicListener {
  readonly port: number;
  readonly protocol: ClassicProtocol;
  readonly instanceProtocol: ClassicProtocol;
  readonly instancePort: number;
  /** ARN; of HTTPS and SSL. */
  readonly certificate?: string;
}

/** A Classic Load Balancer with everything that it is made of. What carries traffic knows it as `Balancing.carried` has it. */
export interface ClassicRecord extends Omit<LoadBalancerRecord, 'type' | 'attributes'> {
  readonly listeners: readonly ClassicListener[];
  /** Ids; where each is reached its targets say. */
  readonly instances: readonly string[];
  readonly healthCheck: {
    /** `HTTP:80/up`, `TCP:5432`. */
    readonly target: string;
    readonly interval: number;
    readonly timeout: number;
    readonly healthyThreshold: number;
    readonly unhealthyThreshold: number;
  };
  /** Seconds. */
  readonly idleTimeout: number;
  /** Whether instances that leave may finish, and within how many seconds: what it was stays while it is off. */
  readonly draining: { readonly enabled: boolean; readonly timeout: number };
}

/** The records by type: the name that ARNs have for them, and `target`. */
export interface BalancingRecords {
  readonly loadbalancer: LoadBalancerRecord;
  readonly targetgroup: TargetGroupRecord;
  readonly listener: ListenerRecord;
  readonly 'listener-rule': RuleRecord;
  readonly target: TargetRecord;
  readonly certificate: CertificateRecord;
  readonly requested: RequestedRecord;
  readonly classic: ClassicRecord;
}

export type BalancingType = keyof BalancingRecords;
/** What has an ARN of ELB's, and tags. */
export type NamedType = Exclude<BalancingType, 'target' | 'certificate' | 'requested' | 'classic'>;

/** What one traffic engine has said of itself; it is written by whoever tells it what to do. */
export interface EngineRecord {
  readonly id: string;
  readonly kind: string;
  /** What new connections are served by. */
  readonly generation: number;
  /** The lowest generation that any of its processes may route by. */
  readonly oldestServing: number;
  /** When it was last heard of. */
  readonly seenAt: number;
  /** Why listeners are not bound, by their ids. */
  readonly unbound: Readonly<Record<string, string>>;
  /** Registrations of targets that drain and have nothing in flight here. */
  readonly quiet: readonly string[];
  /** Why it could not take a generation; it serves the one before. */
  readonly refused?: { readonly generation: number; readonly reason: string };
}
