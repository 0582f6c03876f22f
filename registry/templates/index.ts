export {
  createTemplates,
  type CreationReason,
  type CreationTemplate,
  longestPrefix,
  type Templates,
} from './templates.ts';
