/** Has `fetch()` take any certificate: the one switch that it has. Node warns of it. */
export function acceptAnyCertificate(): void {
  process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
}
