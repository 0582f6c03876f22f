import { placeOf } from './actions.ts';
import { notPermitted, tooMany, validation } from './errors.ts';
import { find, pageOf } from './lists.ts';
import { type ElbOperations, mayOn, operation, someOf } from './operation.ts';
import { mostCertificates } from './quotas.ts';
import { certificateFor } from './server-certificates.ts';
import { certificates, nothing, paged, required, struct, text } from './shapes.ts';

/** Certificates of a listener beside its default one; which a client gets, it says by the name that it connects to. */
export const listenerCertificateOperations: ElbOperations = {
  AddListenerCertificates: operation({
    input: struct('AddListenerCertificatesInput', {
      ListenerArn: required(text),
      Certificates: required(certificates),
    }),
    output: struct('AddListenerCertificatesOutput', { Certificates: certificates }),
    access: mayOn('AddListenerCertificates', ({ ListenerArn }) => [ListenerArn]),
    change: async ({ ListenerArn, Certificates }, scene, draft) => {
      const listener = find(scene, draft, 'listener', ListenerArn);
      const { protocol } = placeOf(draft, listener);
      if (protocol !== 'HTTPS' && protocol !== 'TLS')
        throw validation('Certificates can only be added to HTTPS and TLS listeners');
      const added: string[] = [];
      for (const { CertificateArn, IsDefault } of someOf(Certificates, 'Certificates')) {
        if (IsDefault !== undefined) throw validation('IsDefault cannot be specified when certificates are added');
        added.push(await certificateFor(scene, draft, CertificateArn));
      }
      const all = [...new Set([...listener.certificates, ...added])];
      if (all.length - 1 > mostCertificates)
        throw tooMany('TooManyCertificates', 'certificates of a listener', mostCertificates);
      draft.put('listener', { ...listener, certificates: all });
      return added;
    },
    answer: (added) => ({ Certificates: added.map((arn) => ({ CertificateArn: arn, IsDefault: false })) }),
  }),
  RemoveListenerCertificates: operation({
    input: struct('RemoveListenerCertificatesInput', {
      ListenerArn: required(text),
      Certificates: required(certificates),
    }),
    output: nothing,
    access: mayOn('RemoveListenerCertificates', ({ ListenerArn }) => [ListenerArn]),
    change: ({ ListenerArn, Certificates }, scene, draft) => {
      const listener = find(scene, draft, 'listener', ListenerArn);
      const gone = new Set(someOf(Certificates, 'Certificates').map(({ CertificateArn }) => CertificateArn));
      if (gone.has(listener.certificates[0]))
        throw notPermitted('The default certificate of a listener cannot be removed: modify the listener instead');
      draft.put('listener', { ...listener, certificates: listener.certificates.filter((arn) => !gone.has(arn)) });
    },
    answer: () => ({}),
  }),
  DescribeListenerCertificates: operation({
    input: struct('DescribeListenerCertificatesInput', { ListenerArn: required(text), ...paged }),
    output: struct('DescribeListenerCertificatesOutput', { Certificates: certificates, NextMarker: text }),
    access: mayOn('DescribeListenerCertificates', ({ ListenerArn }) => [ListenerArn]),
    read: async (input, scene, balancing) => {
      const listener = find(scene, balancing, 'listener', input.ListenerArn);
      const { items, more } = await pageOf(
        scene,
        ['DescribeListenerCertificates', input.ListenerArn],
        input,
        listener.certificates.map((arn, place) => ({ arn, isDefault: place === 0 })),
        ({ arn, isDefault }) => `${isDefault ? 0 : 1} ${arn}`,
        ({ arn, isDefault }) => ({ CertificateArn: arn, IsDefault: isDefault }),
      );
      return { Certificates: items, ...more };
    },
  }),
};
