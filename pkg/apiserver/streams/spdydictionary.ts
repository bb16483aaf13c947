/**
 * The dictionary that header blocks of SPDY/3 are compressed against: the specification's list of names, each behind
 * its length in four bytes, followed by words that values are made of. 1423 bytes; a test holds its checksum.
 */
const names =
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin'
const words =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'

export function spdyDictionary(): Uint8Array {
  const parts = names.split(' ').map((name) => {
    const text = Buffer.from(name.replace('_', ' '))
    const part = Buffer.alloc(4 + text.length)
    part.writeUInt32BE(text.length)
    part.set(text, 4)
    return part
  })
  return Buffer.concat([...parts, Buffer.from(words)])
}

/** Adler-32 of the dictionary, which every compressed stream that uses it names. */
export const spdyDictionaryId = 0xe3c6a7c2
