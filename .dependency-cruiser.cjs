// The floors of the house (docs/architecture.md): a room may import itself and the rooms below it, nothing else.
// Type-only imports count: a floor that needs a type from above is laid out wrongly.
const { join } = require('node:path');

/** From the cellar up. A room is a folder of src/, except the three files at the top. */
const floors = [
  'uapi/',
  'packet/',
  'memory/',
  'time/',
  'core/',
  'link/',
  'ip/',
  'icmp/',
  'udp/',
  'tcp/',
  'socket/',
  'eventpoll/',
  'kernel/',
  'v8-flags\\.ts$',
  'stack\\.ts$',
  'index\\.ts$',
  'control/',
  'replay/',
];
/** Stand on the whole stack, and only the command may stand on them. */
const wings = ['net/', 'lab/'];
const top = 'cli/';

const rooms = [...floors, ...wings, top];
const within = (names) => `^src/(${names.join('|')})`;
const label = (room) => room.replace(/[^a-z].*$/, '');

/** `room` may import `allowed` and nothing else of src/. */
const mayImport = (room, allowed) => ({
  name: `floor-${label(room)}`,
  comment: `src/${label(room)} may import only itself and the rooms below it; .dependency-cruiser.cjs has the order.`,
  severity: 'error',
  from: { path: within([room]) },
  to: { path: '^src/', pathNot: within(allowed) },
});

const npm = ['npm', 'npm-dev', 'npm-optional', 'npm-peer', 'npm-bundled', 'npm-no-pkg', 'npm-unknown'];

module.exports = {
  forbidden: [
    ...floors.map((room, at) => mayImport(room, floors.slice(0, at + 1))),
    ...wings.map((room) => mayImport(room, [...floors, room])),
    {
      name: 'wall-udp-tcp',
      comment: 'The transports stand side by side: neither imports the other.',
      severity: 'error',
      from: { path: '^src/(udp|tcp)/' },
      to: { path: '^src/(udp|tcp)/', pathNot: '^src/$1/' },
    },
    {
      name: 'no-unknown-room',
      comment: 'A new room needs its floor: add it to .dependency-cruiser.cjs and docs/architecture.md.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: within(rooms) },
    },
    {
      name: 'no-cycle',
      comment:
        'Files of one room may know each other by type; at run time no file imports itself by a detour.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-node-in-the-stack',
      comment:
        'The stack is plain TypeScript. Only the NIC (link), the real clock (time), the source of randomness ' +
        '(core/random*), tracing (core/trace), the composition (stack.ts), V8 (v8-flags.ts), control, replay, net, lab ' +
        'and cli know Node.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot:
          '^src/((time|link|control|replay|net|lab|cli)/|core/(random[^/]*|trace\\.ts)$|(v8-flags|stack)\\.ts$)',
      },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'no-package-in-the-stack',
      comment: 'Only the addon loader (link) and the command (cli) stand on npm packages.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(link|cli)/' },
      to: { dependencyTypes: npm },
    },
    {
      name: 'no-dev-dependency',
      comment:
        'What src/ imports must be among the dependencies (or peers), or an installed tapstack lacks it.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only', 'npm-peer'],
      },
    },
    {
      name: 'src-stands-alone',
      comment: 'src/ is what gets shipped; tests, examples and scripts stand on it, never the reverse.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|examples|scripts|dist)/' },
    },
    {
      name: 'examples-as-users-write-them',
      comment:
        "An example imports 'tapstack' and Node's own modules, or a file beside it, as its readers will.",
      severity: 'error',
      from: { path: '^examples/' },
      to: { pathNot: '^examples/', dependencyTypesNot: ['core', 'aliased-tsconfig-paths'] },
    },
    {
      name: 'no-unresolvable',
      comment: 'The import leads nowhere.',
      severity: 'error',
      from: { path: '^(src|test|examples)/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: '(^|/)node_modules/|^dist/' },
    tsConfig: { fileName: join(__dirname, 'tsconfig.test.json') },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['types', 'import', 'node', 'default'],
    },
  },
};
