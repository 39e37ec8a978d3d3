// By which words the command is called here, so that what it says to paste can be pasted: npm puts `tapstack` on nobody's PATH but
// where it is installed for all (`npm install --global`).

/** npm's folder for what is installed so; in a project and in a checkout npx finds the command. */
const GLOBAL = '/lib/node_modules/tapstack/';

export const TAPSTACK = import.meta.url.includes(GLOBAL) ? 'tapstack' : 'npx tapstack';

/** sudo has a PATH of its own, on which a Node.js that a user has installed for himself is not. */
export const AS_ROOT = `sudo env "PATH=$PATH" ${TAPSTACK}`;
