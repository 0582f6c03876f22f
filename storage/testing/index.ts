export { findGoProgram } from './go-program.ts';
