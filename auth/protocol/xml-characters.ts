/** The characters that XML 1.0 cannot carry in any form. */
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
export const unwritable = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/u;

/** Each of them replaced by the replacement character. */
export const writable = (text: string): string => text.replace(new RegExp(unwritable, 'gu'), '\ufffd');
