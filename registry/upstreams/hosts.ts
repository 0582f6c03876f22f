/** Hosts that the operator declared, with the address to reach each one by: mirrors and registries of one's own. */
export type UpstreamHosts = Readonly<Record<string, string>>;

/** Public registries by the names ECR has for them (CreatePullThroughCacheRule, `upstreamRegistry`). */
export const knownUpstreams: Readonly<Record<string, RegExp>> = {
  'docker-hub': /^registry-1\.docker\.io$/,
  'ecr-public': /^public\.ecr\.aws$/,
  quay: /^quay\.io$/,
  k8s: /^registry\.k8s\.io$/,
  'github-container-registry': /^ghcr\.io$/,
  'gitlab-container-registry': /^registry\.gitlab\.com$/,
  'azure-container-registry': /^[a-z0-9]{5,50}\.azurecr\.io$/,
  chainguard: /^cgr\.dev$/,
};

/** What kind of upstream a host is; undefined when it is none that can be reached from here. */
export function upstreamOf(host: string, declared: UpstreamHosts, named?: string): string | undefined {
  const found = Object.entries(knownUpstreams).find(([, form]) => form.test(host))?.[0];
  if (found !== undefined) return named === undefined || named === found ? found : undefined;
  // The model has no name for a registry of one's own: it goes by the one the caller chose, or by the open one without login.
  return Object.hasOwn(declared, host) ? (named ?? 'quay') : undefined;
}

export const addressOf = (host: string, declared: UpstreamHosts): string =>
  Object.hasOwn(declared, host) ? (declared[host] as string) : `https://${host}`;
