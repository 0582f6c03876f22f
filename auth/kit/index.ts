/** What every AWS service needs once: how operations are declared, pages, tags, ARNs, and texts that are recognized when they come back. */
export { type Arn, arnOf, type ArnParts, parseArn, splitArn } from './arns.ts';
export { growingTo } from './caches.ts';
export { deliveryWindow, signatureHeader, signatureOf, verifyDelivery } from './deliveries.ts';
export {
  type ApiOperation,
  type ApiOperations,
  type ApiRules,
  bindAll,
  type Declared,
  declareOperation,
  refusalsOf,
  type SceneOf,
  schemasOf,
} from './operations.ts';
export {
  type ListName,
  type PageLimits,
  type PageOf,
  type PageRequest,
  type PageRules,
  Pages,
  pageSize,
  type Row,
  type Rows,
  rowsOf,
} from './pages.ts';
export { readPemCertificates } from './pem.ts';
export {
  as,
  type ErrorWire,
  refused,
  refuseMembers,
  required,
  secret,
  type Shape,
  type ShapeMember,
  type ShapeNames,
  type Shapes,
  shapesOf,
  type ShapeValue,
  simpleShapes,
} from './shapes.ts';
export { createSigning, type Signing, storedKeys } from './signing.ts';
export {
  requestTagKeys,
  requestTags,
  smallTagList,
  tagList,
  type TagProblem,
  type TagRules,
  type Tags,
  tagsAsSent,
  tagSentences,
  TagSet,
  type WireTag,
} from './tags.ts';
