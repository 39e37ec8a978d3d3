// Compiles the TypeScript of the docs against the built package's declarations, under the project's own strictness.

import { join } from 'node:path';
import ts from 'typescript';
import type { Block } from './blocks.js';
import { programOf, root } from './run-block.js';

/** What the compiler says of the blocks, a line for each complaint: page, line of the block, what is wrong. */
export function typeErrors(blocks: readonly Block[]): string[] {
  const config = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.json'),
    {
      noEmit: true,
      incremental: false,
      composite: false,
      tsBuildInfoFile: undefined,
      rootDir: root,
      noUnusedLocals: false,
      isolatedModules: false,
      paths: {
        tapstack: [join(root, 'dist/index.d.ts')],
        'tapstack/*': [join(root, 'dist/*/index.d.ts')],
      },
    },
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} },
  );
  if (config === undefined) throw new Error('tsconfig.json cannot be read');
  // They lie beside the package without being written: only the compiler looks at them.
  const files = new Map(blocks.map((block, at) => [join(root, `block-${at}.mts`), block]));
  const host = ts.createCompilerHost(config.options);
  const { fileExists, readFile, getSourceFile } = host;
  const textOf = (name: string) => {
    const block = files.get(name);
    return block === undefined ? undefined : `${programOf(block)}\nexport {};\n`;
  };
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => textOf(name) ?? readFile(name);
  host.getSourceFile = (name, version, ...rest) => {
    const text = textOf(name);
    return text === undefined
      ? getSourceFile(name, version, ...rest)
      : ts.createSourceFile(name, text, version, true);
  };
  const program = ts.createProgram([...files.keys()], config.options, host);
  return [...files].flatMap(([name, block]) => {
    const source = program.getSourceFile(name);
    return ts.getPreEmitDiagnostics(program, source).map(({ messageText }) => {
      return `${block.page}:${block.line}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
  });
}
