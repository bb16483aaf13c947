/** Addresses of files as they may be told. Pure. */

/** Addresses that are good for a while have what proves it in their query, and some a password before their host. */
export function toldAddress(address: string): string {
  const url = URL.parse(address)
  return url === null ? address : `${url.protocol}//${url.host}${url.pathname}`
}
