export { createEcrPublic } from './ecr-public.ts';
