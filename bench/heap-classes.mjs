// The objects of the JavaScript heap by class: how many there are, and how large by themselves. From a heap snapshot, so that
// nothing is left out: objects, arrays, the tables of Maps and Sets, boxed numbers.

import { getHeapSnapshot } from 'node:v8';

/** Kinds of nodes whose names tell a class; strings and numbers bear their values there. */
const NAMED = new Set(['object', 'closure', 'code', 'array', 'native', 'hidden', 'object shape']);

/** `{ count, bytes }` by kind and name. */
export async function heapClasses() {
  let text = '';
  for await (const part of getHeapSnapshot()) text += part;
  const { snapshot, nodes, strings } = JSON.parse(text);
  const { node_fields: fields, node_types: types } = snapshot.meta;
  const table = new Map();
  for (let at = 0; at < nodes.length; at += fields.length) {
    const kind = types[0][nodes[at]];
    const name = NAMED.has(kind) ? strings[nodes[at + 1]].slice(0, 40) : '';
    const key = `${kind} ${name}`;
    const row = table.get(key) ?? { count: 0, bytes: 0 };
    row.count++;
    row.bytes += nodes[at + 3];
    table.set(key, row);
  }
  return table;
}
