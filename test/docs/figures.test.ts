// A figure in the docs is a trace, and a trace is what the stack does today. UPDATE_FIGURES=1 writes them anew.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { figures } from './figures.js';

const DOCS = new URL('../../docs/', import.meta.url);
const FENCE = /<!-- figure: ([\w-]+) -->\n```text\n([\s\S]*?)```/g;

const pages = readdirSync(DOCS).filter((name) => name.endsWith('.md'));
const shown = pages.flatMap((page) =>
  [...readFileSync(new URL(page, DOCS), 'utf8').matchAll(FENCE)].map(([, name, text]) => ({
    page,
    name,
    text,
  })),
);

describe('figures of the docs', () => {
  it.each(shown)('$page: $name is what happens', async ({ page, name, text }) => {
    const now = `${await figures[name]()}\n`;
    if (process.env.UPDATE_FIGURES !== undefined) {
      const url = new URL(page, DOCS);
      const fresh = readFileSync(url, 'utf8').replaceAll(FENCE, (all, which: string) =>
        which === name ? `<!-- figure: ${name} -->\n\`\`\`text\n${now}\`\`\`` : all,
      );
      writeFileSync(url, fresh);
      return;
    }
    expect(text).toBe(now);
  });

  it('shows every figure there is', () => {
    expect(shown.map(({ name }) => name).sort()).toEqual(Object.keys(figures).sort());
  });
});
