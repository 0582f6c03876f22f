import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { type AcmOperations, mayList } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const events = 'Nothing is told of certificates that are about to end: look at NotAfter of DescribeCertificate.';

/** Operations of ACM's API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  ResendValidationEmail: 'Names are proved by HTTP, without mails.',
  RevokeCertificate: 'Ask whoever issued the certificate, and import another one.',
  UpdateCertificateOptions: 'Certificates have no options here.',
  SearchCertificates: 'Use ListCertificates with its filters.',
  GetAccountConfiguration: events,
  PutAccountConfiguration: events,
};

export const notServedOperations: AcmOperations = refusalsOf(notServed, {
  operationSchema,
  inputOf: (name) => struct(`${name}Request`, {}),
  nothing,
  mayList,
  unsupported,
});
