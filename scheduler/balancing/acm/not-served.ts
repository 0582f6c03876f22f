import { refusalsOf } from '../api/index.ts';

import { unsupported } from './errors.ts';
import { type AcmOperations, mayList, operation } from './operation.ts';
import { nothing, struct } from './shapes.ts';

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
  operation,
  inputOf: (name) => struct(`${name}Request`, {}),
  nothing,
  mayList,
  unsupported,
});
