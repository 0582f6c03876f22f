export { checkStamp, checkVersion, foreign, type Format, FormatRefused, stampOf } from './format.ts';
export { isStamped, stampFile, stampFolder } from './stamp-folder.ts';
