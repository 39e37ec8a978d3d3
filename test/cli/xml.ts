// A reader of XML as strict as the tests need: every tag closed in order, every attribute quoted, every ampersand an entity.

export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  text: string;
  parent: XmlElement | undefined;
}

const TOKEN = /<(\/?)([\w:-]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>|([^<]+)/y;
const ATTRIBUTE = /([\w:-]+)="([^"]*)"/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

/** All elements of a document in order. @throws Error where it is not well-formed. */
export function elementsOf(xml: string): XmlElement[] {
  const elements: XmlElement[] = [];
  let inside: XmlElement | undefined;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < xml.length) {
    const at = TOKEN.lastIndex;
    const token = TOKEN.exec(xml);
    if (token === null) throw new Error(`not well-formed: ${xml.slice(at, at + 60)}`);
    const [, closing, name, attributes, empty, text] = token;
    if (text !== undefined) {
      if (inside !== undefined) inside.text += decode(text);
      else if (text.trim() !== '') throw new Error(`text outside of the document: ${text}`);
    } else if (closing === '/') {
      if (inside?.name !== name) throw new Error(`</${name}> closes <${inside?.name}>`);
      inside = inside.parent;
    } else {
      if (inside === undefined && elements.length > 0) throw new Error(`a second document: <${name}>`);
      const pairs = [...attributes.matchAll(ATTRIBUTE)].map(([, key, value]) => [key, decode(value)]);
      const element = { name, attributes: Object.fromEntries(pairs), text: '', parent: inside };
      elements.push(element);
      if (empty === '') inside = element;
    }
  }
  if (inside !== undefined) throw new Error(`<${inside.name}> is not closed`);
  return elements;
}

function decode(text: string): string {
  return text.replace(/&(?:(\w+);)?/g, (all, name: string | undefined) => {
    const plain = name === undefined ? undefined : ENTITIES[name];
    if (plain === undefined) throw new Error(`not an entity: ${all}`);
    return plain;
  });
}
