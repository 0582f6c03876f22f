import { dockerName, type ImageReference, registryNamed, withoutTag } from '../../references/index.ts';

/** What an engine puts around the words of a registry (containerd's image store). */
const around = /^failed to (?:resolve reference|pull and unpack image|copy) "[^"]*": /;

/**
 * Why an image of a registry that is not this installation's could not be pulled. An engine repeats what it read: pages, and what
 * answered where a registry's `realm` or redirect led it. So what it said only chooses among sentences that are written here.
 * @param said the engine's own message
 */
export function foreignReason(reference: ImageReference, said: string): string {
  const registry = registryNamed(reference.host ?? 'docker.io');
  const image = dockerName(reference);
  const text = said.replace(around, '');
  if (/^pull access denied|^denied: |^unauthorized: /.test(text))
    return `pull access denied for ${withoutTag(reference)}, repository does not exist or may require 'docker login'`;
  if (/^manifest (?:for \S+ not found|unknown)|: not found$/.test(text)) return `manifest for ${image} not found`;
  if (text.startsWith('toomanyrequests: '))
    return `toomanyrequests: the registry ${registry} limits how often it is pulled from`;
  if (/^no matching manifest for |^no match for platform in manifest/.test(text))
    return `image ${image} has no manifest for the platform of this container instance`;
  if (text.endsWith(': no space left on device')) return 'no space left on device';
  // Of the registry's own address only: about any other it would tell what listens there.
  const own = /^(?:failed to do request: )?(?:Get|Head) "https:\/\/([^/"]+)\/v2\/[^"]*": (.*)$/s.exec(text);
  if (own?.[1] === registry) {
    if (own[2] === 'http: server gave HTTP response to HTTPS client')
      return `the registry ${registry} answers plain HTTP: the engine needs it under "insecure-registries", or the registry a certificate`;
    if (/^(?:tls: failed to verify certificate: )?x509: /.test(own[2] ?? ''))
      return `the engine does not trust the certificate of the registry ${registry}`;
  }
  return `the registry ${registry} could not be reached, or did not answer as a registry does; the log of the agent has what the engine said`;
}
