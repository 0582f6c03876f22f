/** Of this program, as `slipway --version` prints it and traces name it. */
export const version = '0.1.0';
