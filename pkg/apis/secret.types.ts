/** The type of a Secret that holds a token of a ServiceAccount for as long as both exist, and what says whose. */
export const serviceAccountTokenType = 'kubernetes.io/service-account-token'
/** On such a Secret: whose token it holds. */
export const accountNameAnnotation = 'kubernetes.io/service-account.name'
export const accountUidAnnotation = 'kubernetes.io/service-account.uid'
