// The fenced code blocks of a Markdown page, and what the HTML comments right above each say of it. Only reads; run-block.ts runs them.

/** A fenced block. `notes` are the comments above its fence, which a reader on a forge does not see. */
export interface Block {
  readonly page: string;
  /** Line of the opening fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly text: string;
  readonly notes: ReadonlyMap<string, string>;
  /** The block before it on the page, if any. */
  readonly previous: Block | undefined;
}

const FENCE = /^( *)```([^\n`]*)\n((?:.*\n)*?)\1```[ \t]*$/gm;
/** Comments with nothing but white space between them and the end of the text. */
const NOTES_AT_END = /(?:<!--(?:(?!-->)[\s\S])*-->[ \t]*\n[ \t]*)+$/;
/** `figure: NAME` belongs to figures.test.ts; CONTRIBUTING.md tells of the others. */
const KNOWN = ['file', 'output', 'before', 'continues', 'not run', 'interrupted after', 'figure'];

function notesAbove(where: string, before: string): Map<string, string> {
  const notes = new Map<string, string>();
  for (const [, comment] of (NOTES_AT_END.exec(before)?.[0] ?? '').matchAll(/<!--([\s\S]*?)-->/g)) {
    const [, name, value] = /^\s*([a-z ]+?)\s*(?::([\s\S]*))?$/.exec(comment) ?? [];
    if (name === undefined || !KNOWN.includes(name)) continue;
    if (notes.has(name)) throw new Error(`${where}: <!-- ${name} --> twice`);
    notes.set(name, (value ?? '').trim());
  }
  return notes;
}

export function blocksOf(page: string, markdown: string): Block[] {
  const blocks: Block[] = [];
  for (const match of markdown.matchAll(FENCE)) {
    const before = markdown.slice(0, match.index);
    const line = before.split('\n').length;
    const [, indent, language, text] = match;
    blocks.push({
      page,
      line,
      language: language.trim(),
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
      notes: notesAbove(`${page}:${line}`, before),
      previous: blocks.at(-1),
    });
  }
  return blocks;
}

/** One command of a console block: what is typed at its own prompt (`#` lines below it), and what is shown to come out. */
export interface Command {
  readonly command: string;
  readonly typed: string[];
  readonly shown: string[];
}

/**
 * `$ COMMAND` is typed at a prompt; `# COMMAND` too, as root, unless it stands below a `$ COMMAND` that opened a shell: then it is
 * typed into that. A line that ends with a backslash goes on in the next.
 */
export function commandsOf(block: Block): Command[] {
  const commands: Command[] = [];
  const lines = block.text.replaceAll('\\\n', '\\\u0000').split('\n').slice(0, -1);
  for (const folded of lines) {
    const line = folded.replaceAll('\u0000', '\n');
    const prompt = /^([$#]) ([\s\S]*)$/.exec(line);
    const last = commands.at(-1);
    if (prompt === null) {
      if (last === undefined) throw new Error(`${block.page}:${block.line}: output before any command`);
      last.shown.push(line);
    } else if (prompt[1] === '#' && block.text.startsWith('$ ')) {
      last?.typed.push(prompt[2]);
    } else {
      commands.push({ command: prompt[2], typed: [], shown: [] });
    }
  }
  return commands;
}

const literally = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** What output must look like to be as shown: `…` stands for anything within a line, or, alone on one, for any lines. */
export function pattern(shown: string): RegExp {
  const lines = shown.trimEnd().split('\n');
  const source = lines.map((line) =>
    line.trim() === '…' ? '(?:.*\n)*' : `${literally(line).replaceAll('…', '.*')}\n`,
  );
  return new RegExp(`^${source.join('')}$`);
}
