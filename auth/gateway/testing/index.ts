export { unwatched } from './unwatched.ts';
