// Splits shell text into simple commands: words, where output goes, and how each hangs together with the one before. Enough of
// the shell for the lines that packet scripts have; nothing is ever handed to a shell.

export interface SimpleCommand {
  words: string[];
  /** File that standard output goes to, or null. */
  output: string | null;
  /** What stands before it: `&&`, `||`, `|`, or `;` for everything else. */
  joint: ';' | '&&' | '||' | '|';
}

const PIECE =
  /(?<blank>[ \t]+|\\\n)|(?<comment>#[^\n]*)|(?<joint>&&|\|\||[;\n|])|(?<redirect>(?:[0-9]|&)?>{1,2}(?:&[0-9])?)|(?<single>'[^']*')|(?<double>"(?:\\[\s\S]|[^"\\])*")|(?<arithmetic>\$\(\((?:[^()]|\([^()]*\))*\)\))|(?<variable>\$\{?\w+\}?)|(?<plain>(?:\\[^\n]|[^\s;|&<>'"$\\#]|(?<=\S)#)+)/y;

/** `variable` gives the value of `$NAME`. Throws SyntaxError for what is beyond this little shell. */
export function splitShell(text: string, variable: (name: string) => string): SimpleCommand[] {
  const commands: SimpleCommand[] = [];
  let current: SimpleCommand = { words: [], output: null, joint: ';' };
  let word: string | null = null;
  let redirect: string | null = null;
  const endWord = (): void => {
    if (word === null) return;
    if (redirect === null) current.words.push(word);
    else if (!redirect.startsWith('2')) current.output = word;
    word = null;
    redirect = null;
  };
  for (let at = 0; at < text.length; ) {
    PIECE.lastIndex = at;
    const match = PIECE.exec(text);
    if (match === null) throw new SyntaxError(`the shell text ${JSON.stringify(text.slice(at, at + 20))}`);
    at += match[0].length;
    const { blank, comment, joint, single, double, arithmetic, variable: name, plain } = match.groups ?? {};
    if (blank !== undefined || comment !== undefined) {
      endWord();
    } else if (joint !== undefined) {
      endWord();
      if (current.words.length > 0 || current.output !== null) commands.push(current);
      const next = joint === '\n' ? ';' : (joint as SimpleCommand['joint']);
      // A joint at the end of a line goes on over it.
      const continues = current.words.length === 0 && next === ';';
      current = { words: [], output: null, joint: continues ? current.joint : next };
    } else if (match.groups?.redirect !== undefined) {
      endWord();
      redirect = match[0].includes('>&') ? null : match[0];
    } else {
      word = (word ?? '') + wordPart(single, double, arithmetic, name, plain, variable);
    }
  }
  endWord();
  if (current.words.length > 0) commands.push(current);
  return commands;
}

function wordPart(
  single: string | undefined,
  double: string | undefined,
  arithmetic: string | undefined,
  name: string | undefined,
  plain: string | undefined,
  variable: (name: string) => string,
): string {
  if (single !== undefined) return single.slice(1, -1);
  if (double !== undefined) return expand(double.slice(1, -1), variable);
  if (arithmetic !== undefined) return String(calculate(arithmetic.slice(3, -2)));
  if (name !== undefined) return variable(name.replace(/[${}]/g, ''));
  return (plain ?? '').replace(/\\([\s\S])/g, '$1');
}

/** Inside double quotes only `$` and the backslash mean something. */
function expand(text: string, variable: (name: string) => string): string {
  return text
    .replace(/\$\(\(((?:[^()]|\([^()]*\))*)\)\)/g, (_whole, sum: string) => String(calculate(sum)))
    .replace(/\$\{?(\w+)\}?/g, (_whole, name: string) => variable(name))
    .replace(/\\([\\"$`])/g, '$1');
}

/** `$((15*1024*1024))`: products and sums of whole numbers. */
function calculate(text: string): number {
  if (!/^[\d\s+*-]+$/.test(text)) throw new SyntaxError(`the shell arithmetic $((${text}))`);
  return text.split('+').reduce((sum, term) => {
    const parts = term.split('-').map((product) => product.split('*').reduce((a, b) => a * Number(b), 1));
    return sum + parts.reduce((a, b) => a - b);
  }, 0);
}
