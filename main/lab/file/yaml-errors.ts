/**
 * What the YAML parser found wrong, at the place where a person would look for it and without its API in the words.
 */
import { visit, type Document, type YAMLParseError } from 'yaml';

/** A syntax error at an offset of the text. */
export interface SyntaxFinding {
  readonly offset: number;
  readonly path: readonly [];
  readonly text: string;
}

/** Each search for an opening walks the document: a file of nothing but errors must not make that quadratic. */
const MAX_SEARCHES = 10;

/** The syntax errors of a document that was composed from `text`. */
export function syntaxFindings(document: Document, text: string): SyntaxFinding[] {
  return document.errors.map((error, index) => {
    const opening = index < MAX_SEARCHES ? openingOf(error, document, text) : undefined;
    if (opening === undefined) return { offset: error.pos[0], path: [], text: textOf(error) };
    const sign = text.charAt(opening);
    return {
      offset: opening,
      path: [],
      text: `not valid YAML: this ${sign} is not closed, or what it holds is not indented`,
    };
  });
}

/** What is never closed is wrong where it opens; the parser stands somewhere behind it by then. */
function openingOf(error: YAMLParseError, document: Document, text: string): number | undefined {
  if (error.code !== 'MISSING_CHAR' && error.code !== 'BAD_INDENT') return undefined;
  if (/closing .quote/.test(error.message)) return lastQuote(document, error.pos[0]);
  return /end with a [\]}]/.test(error.message) ? openBracket(document, error.pos[0], text) : undefined;
}

function lastQuote(document: Document, before: number): number | undefined {
  let opening: number | undefined;
  visit(document, {
    Scalar: (_, { type, range }) => {
      const quoted = type === 'QUOTE_DOUBLE' || type === 'QUOTE_SINGLE';
      if (quoted && range && range[0] < before) opening = range[0];
    },
  });
  return opening;
}

/** The innermost list or mapping around an offset that does not end with its own bracket. */
function openBracket(document: Document, offset: number, text: string): number | undefined {
  let opening: number | undefined;
  visit(document, {
    Collection: (_, { range, flow }) => {
      if (flow !== true || !range || range[0] >= offset || range[1] < offset) return;
      const closed = text.charAt(range[1] - 1) === (text.charAt(range[0]) === '{' ? '}' : ']');
      if (!closed) opening = range[0];
    },
  });
  return opening;
}

function textOf(error: YAMLParseError): string {
  if (error.code === 'MULTIPLE_DOCS') return 'a lab file has one YAML document; remove what begins here';
  const line = error.message.split('\n')[0] ?? error.message;
  return `not valid YAML: ${line.charAt(0).toLowerCase()}${line.slice(1)}`;
}
