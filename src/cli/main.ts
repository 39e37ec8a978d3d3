#!/usr/bin/env node
// The `tapstack` command. All of it comes later, in a Node.js that can load it.

import './node-version.js';

await import('./command-line.js');
