import { refusalsOf } from '@slipway/auth/kit';

import { unsupported } from './errors.ts';
import { type AcmOperations, mayList } from './operation.ts';
import { nothing, operationSchema, struct } from './shapes.ts';

const own = 'Certificates are those that you import: have one issued elsewhere, and give it to ImportCertificate.';
const again = 'Import the new certificate under the same ARN: listeners serve it from then on.';
const events = 'Nothing is told of certificates that are about to end: look at NotAfter of DescribeCertificate.';

/** Operations of ACM's API that are not served, and what to do instead. */
export const notServed: Readonly<Record<string, string>> = {
  RequestCertificate: own,
  ResendValidationEmail: own,
  RenewCertificate: again,
  RevokeCertificate: 'Ask whoever issued the certificate, and import another one.',
  UpdateCertificateOptions: 'Imported certificates have no options.',
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
