export { findGoProgram } from './go-program.ts';
export { growth } from './growth.ts';
