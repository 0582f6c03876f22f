export { templateRows } from './keys.ts';
export {
  createTemplates,
  type CreationReason,
  type CreationTemplate,
  longestPrefix,
  type Templates,
} from './templates.ts';
