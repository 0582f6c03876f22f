export { type HandWritten, holdToModel } from './hold-to-model.ts';
