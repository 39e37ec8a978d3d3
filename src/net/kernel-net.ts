// Node's own net, taken before anybody can put another in its place: for what is the kernel's and stays so.

import builtin from 'node:net';

/** A copy: the module itself may be given other functions (install.ts). */
export const kernelNet = { ...builtin };
