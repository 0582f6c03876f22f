/**
 * What hosts say by which runtime of their engine they isolate tasks of Fargate; `none` where they are to and cannot. With `.containers`
 * added: how many containers such a task may have, `one` or `several`.
 */
export const isolationAttribute = 'slipway.isolation';
