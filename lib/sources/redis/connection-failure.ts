import { plainError } from './plain-error.js';

/** What OpenSSL and Node call the reasons for which a certificate is refused. */
const REFUSED_CERTIFICATE = /CERT|LEAF_SIGNATURE|INVALID_CA/;

/** Why a connection failed, for messages. */
export function connectionFailure(error: unknown): string {
  const { message, code = '' } = plainError(error) as Error & { readonly code?: string };
  // Node leaves the message of a failed connection to several addresses empty.
  const reason = message || code;
  return REFUSED_CERTIFICATE.test(code)
    ? `its certificate was refused (${reason}). Set \`tls: { ca }\` in its options, or ` +
        'NODE_EXTRA_CA_CERTS, to the authority that signed it, and connect to a name it is made out to'
    : reason;
}
