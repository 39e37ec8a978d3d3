// Tokens of a script's %{ code }%: the small part of Python that assertions are written in.

export interface CodeToken {
  kind: 'number' | 'string' | 'name' | 'operator' | 'line' | 'end';
  text: string;
}

const TOKEN =
  /(?<blank>[ \t\r]+|\\(?:\s+|$)|#[^\n]*)|(?<line>[\n;])|(?<number>0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|(?<string>'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|(?<name>[A-Za-z_]\w*)|(?<operator>\*\*|\/\/|<<|>>|<=|>=|==|!=|\+=|-=|\*=|[-+*/%&|^~<>=(),[\]])/y;

/** @throws SyntaxError */
export function tokenizeCode(code: string): CodeToken[] {
  const tokens: CodeToken[] = [];
  let depth = 0;
  for (let at = 0; at < code.length; ) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(code);
    if (match === null) throw new SyntaxError(`'${code.slice(at, at + 12)}' in the code is not understood`);
    at += match[0].length;
    const { blank, line, number, string, name, operator } = match.groups ?? {};
    if (blank !== undefined) continue;
    if (operator === '(' || operator === '[') depth++;
    if (operator === ')' || operator === ']') depth--;
    if (line !== undefined) {
      // Within brackets a line goes on.
      if (depth === 0) tokens.push({ kind: 'line', text: 'the end of the line' });
    } else if (string !== undefined) {
      tokens.push({ kind: 'string', text: unquote(string) });
    } else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (operator !== undefined) tokens.push({ kind: 'operator', text: operator });
  }
  tokens.push({ kind: 'end', text: 'the end of the code' });
  return tokens;
}

function unquote(text: string): string {
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t' };
  return text.slice(1, -1).replace(/\\(.)/g, (_whole, code: string) => escapes[code] ?? code);
}

/** Every name that the code uses, keywords included. */
export function namesInCode(code: string): Set<string> {
  return new Set(
    tokenizeCode(code)
      .filter(({ kind }) => kind === 'name')
      .map(({ text }) => text),
  );
}
