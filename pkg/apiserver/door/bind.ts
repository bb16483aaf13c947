/** Taking an address: what can go wrong with it is told with the address and what to do. */
import type { Server } from 'node:net'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'

export interface Address {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/** Resolves with the port when the server accepts. Throws InUse, Forbidden or BadRequest, naming the address, when it cannot. */
export function bind(server: Server, { host, port }: Address): Promise<number> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException) => reject(bindError(error, `${host}:${port}`))
    server.once('error', refused)
    server.listen({ host, port }, () => {
      server.off('error', refused)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

function bindError(error: NodeJS.ErrnoException, address: string): StatusError {
  const cause = { cause: error }
  switch (error.code) {
    case 'EADDRINUSE':
      return new StatusError(
        'InUse',
        `${address} is in use by another program (or another cove); stop it, or listen on another port`,
        {},
        cause,
      )
    case 'EACCES':
      return new StatusError(
        'Forbidden',
        `not allowed to listen on ${address}; choose a port above 1023`,
        {},
        cause,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StatusError(
        'BadRequest',
        `${address} is not an address of this machine; listen on another one`,
        {},
        cause,
      )
    default:
      return new StatusError('InternalError', `cannot listen on ${address}: ${messageOf(error)}`, {}, cause)
  }
}
